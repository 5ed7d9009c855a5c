#include "experiments/resume.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/config/text.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/checkpoint.h"
#include "experiments/identity.h"
#include "google/protobuf/util/message_differencer.h"

namespace starling {
namespace {

using ::google::protobuf::util::MessageDifferencer;

// Leaves what decides on the bits of a step.
void ClearWhatMayDiffer(Experiment* config) {
  ClearHow(config);
  Train* train = config->mutable_train();
  train->clear_epochs();
  train->clear_max_steps();
  train->clear_max_seconds();
  train->clear_eval_every_steps();
}

// The config of a checkpoint, with defaults of fields that are newer than it.
absl::StatusOr<Experiment> ConfigOf(const CheckpointManifest& manifest) {
  Experiment config;
  TextLocations locations;
  std::vector<std::string> notes;
  RETURN_IF_ERROR(ParseText(manifest.config, "its config", &config, &locations));
  RETURN_IF_ERROR(ResolveExperiment(locations, &config, &notes));
  return config;
}

absl::Status CheckFits(const CheckpointManifest& manifest, const std::string& path,
                       const Plan& plan) {
  const auto foreign = [&](const auto&... what) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint ", path, " is of another experiment: ", what...));
  };
  const auto config = ConfigOf(manifest);
  if (!config.ok()) return foreign(config.status().message());
  if (const auto difference = FindConfigDifference(*config, plan.config)) {
    return foreign(difference->text());
  }
  const CheckpointManifest own = ManifestOf(plan, manifest.step);
  if (manifest.data != own.data) {
    return foreign("its data set had fingerprint ", manifest.data, ", not ", own.data);
  }
  if (manifest.partition != own.partition) {
    return foreign("its partition had fingerprint ", manifest.partition, ", not ", own.partition);
  }
  if (manifest.step > plan.steps) {
    return absl::FailedPreconditionError(absl::StrCat(
        "checkpoint ", path, " is after step ", manifest.step, ", but the config ends after ",
        plan.steps, "; train.max_steps or train.epochs can be raised"));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<ConfigDifference> FindConfigDifference(Experiment before, Experiment now) {
  ClearWhatMayDiffer(&before);
  ClearWhatMayDiffer(&now);
  std::vector<ConfigDifference> all = Differences(before, now);
  if (all.empty()) return std::nullopt;
  return std::move(all[0]);
}

absl::StatusOr<std::optional<ResumePoint>> FindResumePoint(const ResumeRequest& request,
                                                           const Plan& plan,
                                                           std::vector<std::string>* notes) {
  const std::string source = std::filesystem::weakly_canonical(request.source).string();
  const CheckpointDirectory directory(source);
  std::vector<int64_t> steps = directory.Steps();
  if (request.step >= 0) steps = {request.step};
  absl::Status newest;
  for (int64_t step : steps) {
    const auto manifest = directory.ReadManifest(step);
    absl::Status status = manifest.status();
    if (status.ok()) {
      RETURN_IF_ERROR(CheckFits(*manifest, directory.Path(step), plan));
      status = directory.CheckFiles(*manifest);
    }
    if (status.ok()) {
      notes->push_back(absl::StrCat("goes on after step ", step, " of ", plan.steps, ", from ",
                                    directory.Path(step)));
      return ResumePoint{source, *manifest};
    }
    notes->push_back(
        absl::StrCat("checkpoint ", directory.Path(step), " is passed over: ", status.message()));
    newest.Update(status);
  }
  if (!newest.ok()) {
    return absl::DataLossError(
        absl::StrCat("no checkpoint of ", source, " can be used: ", newest.message()));
  }
  if (request.may_be_absent) return std::nullopt;
  return absl::NotFoundError(
      absl::StrCat("there is no checkpoint in ", source, "/checkpoints to resume from"));
}

bool IsFinished(const std::string& run_directory, const Plan& plan) {
  if (RunDirectory::StatusAt(run_directory) != RunStatusName(RunStatus::kDone)) return false;
  const CheckpointDirectory directory(run_directory);
  const std::vector<int64_t> steps = directory.Steps();
  if (steps.empty()) return false;
  const auto manifest = directory.ReadManifest(steps[0]);
  if (!manifest.ok() || !CheckFits(*manifest, directory.Path(steps[0]), plan).ok()) return false;
  const auto config = ConfigOf(*manifest);
  const auto length = [](const Train& train) {
    Train length;
    if (train.has_epochs()) length.set_epochs(train.epochs());
    if (train.has_max_steps()) length.set_max_steps(train.max_steps());
    if (train.has_max_seconds()) length.set_max_seconds(train.max_seconds());
    return length;
  };
  return config.ok() &&
         MessageDifferencer::Equals(length(config->train()), length(plan.config.train()));
}

}  // namespace starling
