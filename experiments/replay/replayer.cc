#include "experiments/replay/replayer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/run/build_stamp.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "data/partition.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/launch.h"
#include "experiments/resume.h"
#include "experiments/run.h"

namespace starling {
namespace {

// Leaves what the purpose needs. None of it changes bits.
void Tailor(ReplayOptions::Purpose purpose, Plan* plan) {
  Experiment* config = &plan->config;
  config->mutable_checkpoint()->set_keep(0);
  if (purpose == ReplayOptions::Purpose::kRepeat) {
    // Measuring has messages sent again, so it happens as often as it did.
    config->clear_metric_sink();
    config->add_metric_sink()->set_name("jsonl");
    return;
  }
  config->clear_metric_sink();
  config->mutable_checkpoint()->set_every_steps(0);
  Train* train = config->mutable_train();
  train->set_consensus_every_steps(0);
  train->set_digest_every_steps(purpose == ReplayOptions::Purpose::kTrail ? 1 : 0);
  if (purpose == ReplayOptions::Purpose::kState) config->mutable_checkpoint()->set_keep(1);
  if (train->continue_from_average()) return;
  train->set_eval_every_steps(0);
  plan->eval_every_steps = 0;
}

// The newest checkpoint of the run after at most `step` steps.
absl::StatusOr<std::optional<ResumePoint>> PointBefore(const RecordedRun& run, int64_t step,
                                                       const Plan& plan) {
  for (const int64_t saved : CheckpointDirectory(run.path).Steps()) {
    if (saved > step) continue;
    std::vector<std::string> notes;  // of damaged ones: the next older one does as well
    auto point = FindResumePoint({run.path, saved, false}, plan, &notes);
    if (point.ok() || !absl::IsDataLoss(point.status())) return point;
  }
  return std::nullopt;
}

PlannedEnd EndOf(const RecordedRun& run, int64_t until_step) {
  const bool whole = until_step >= run.steps && run.ended_as_planned;
  return {std::min(run.steps > 0 ? run.steps : INT64_MAX, until_step),
          whole ? StopReason::kOutOfTime : StopReason::kRequested};
}

}  // namespace

BuiltInConfig ConfigOf(const RecordedRun& run) {
  return {run.File("config.textproto"), run.config};
}

Arguments ArgumentsOf(const RecordedRun& run, const std::vector<std::string>& set) {
  Arguments arguments;
  const bool launched = Launch().ok() && !Launch()->launcher.empty();
  if (run.backend == "mpi" && !launched && !StartsProcesses()) {
    arguments.set.push_back("backend={name: \"threads\"}");
  }
  arguments.set.insert(arguments.set.end(), set.begin(), set.end());
  return arguments;
}

absl::Status CheckData(const RecordedRun& run, const std::vector<Job>& jobs) {
  RETURN_IF_ERROR(CheckData(jobs));
  const Plan& plan = *jobs[0].plan;
  const std::string data = absl::StrFormat("%016x", plan.dataset->fingerprint());
  const std::string partition = absl::StrFormat("%016x", Fingerprint(plan.assignment));
  const auto other = [&](const std::string& what, const std::string& before,
                         const std::string& now) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " had fingerprint ", before, " when ", run.path, " was made, and has ",
                     now, " here: a replay would train on something else"));
  };
  if (!run.data.empty() && run.data != data) {
    return other(absl::StrCat("dataset ", plan.config.dataset().name()), run.data, data);
  }
  if (!run.partition.empty() && run.partition != partition) {
    return other(absl::StrCat("partition ", plan.config.partition().name()), run.partition,
                 partition);
  }
  return absl::OkStatus();
}

absl::StatusOr<Replayed> Replay(const RecordedRun& run, const ReplayOptions& options) {
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(ArgumentsOf(run, options.set), ConfigOf(run)));
  RETURN_IF_ERROR(CheckData(run, prepared.jobs));
  Plan& plan = *prepared.jobs[0].plan;
  Tailor(options.purpose, &plan);

  RunOptions how;
  how.cores = Cores();
  how.command_line = options.command_line;
  how.commit = BuildCommit();
  how.dirty = BuildIsDirty();
  how.patch = BuildPatch();
  how.end = EndOf(run, options.until_step);
  how.failed = [](const absl::Status& reason) { Complain(reason); };
  Replayed replayed;
  replayed.backend = plan.config.backend().name();
  replayed.deterministic =
      plan.facts.deterministic || (run.backend == "sim" && replayed.backend == "sim");
  if (options.from_step > 0) {
    if (options.from_step >= how.end->step) {
      return absl::InvalidArgumentError(absl::StrCat("--from_step is ", options.from_step, ", but ",
                                                     run.path, " has made ", run.steps, " steps"));
    }
    ASSIGN_OR_RETURN(how.resume, PointBefore(run, options.from_step, plan));
    if (how.resume) replayed.first_step = how.resume->manifest.step;
  }
  ASSIGN_OR_RETURN(const auto backend, MakeBackend(plan, Cores()));
  absl::StatusOr<std::unique_ptr<RunDirectory>> made(nullptr);
  if (IsLead()) made = RunDirectory::Create(options.directory);
  const auto directory = made.ok() ? absl::StatusOr<const RunDirectory*>(made->get())
                                   : absl::StatusOr<const RunDirectory*>(made.status());
  Progress progress(stderr, isatty(STDERR_FILENO) != 0);
  how.progress = &progress;
  ASSIGN_OR_RETURN(replayed.result, RunTraining(plan, backend.get(), directory, how));
  return replayed;
}

}  // namespace starling
