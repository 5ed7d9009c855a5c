#include "experiments/replay/replay_two.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/config/text.h"
#include "core/safetensors.h"
#include "core/state.h"
#include "core/status.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/digest_trail.h"
#include "experiments/replay/metric_comparison.h"
#include "experiments/replay/report.h"
#include "experiments/replay/state_difference.h"
#include "experiments/resume.h"

namespace starling {
namespace {

using Purpose = ReplayOptions::Purpose;

// One of the two.
struct Side {
  std::string name;  // "A"
  RecordedRun run;
  DigestTrail trail;
};

class TwoRuns {
 public:
  TwoRuns(const RecordedRun& a, const RecordedRun& b, const ReplayOptions& options,
          const std::string& obstacle)
      : sides_{Side{"A", a, {}}, Side{"B", b, {}}}, options_(options), obstacle_(obstacle) {
    until_ = std::min({a.steps, b.steps, options.until_step});
  }

  absl::StatusOr<bool> Compare();

 private:
  Side& a() { return sides_[0]; }
  Side& b() { return sides_[1]; }

  void PrintHeads() const;
  // Why not both can be replayed here; OK: nothing is known to be in the way.
  absl::Status CanReplay() const;
  // Replays a side in a directory of its own and returns that.
  absl::StatusOr<std::string> Replay(const Side& side, Purpose purpose, int64_t from,
                                     int64_t until);
  absl::StatusOr<TrailComparison> CompareTrails();
  // The same by replays of every step after `from`; keeps their trails if they differ.
  absl::StatusOr<TrailComparison> CompareReplays(int64_t from, int64_t until);
  absl::StatusOr<bool> CompareMetrics(const absl::Status& obstacle);
  // The directory of a run, or of a replay, that has a checkpoint after `step`.
  absl::StatusOr<std::string> DirectoryWithState(const Side& side, int64_t step);
  bool ReportEqual(const TrailComparison& comparison) const;
  void ReportDifference(const TrailDifference& difference);
  // What follows "first difference: step 37, worker 3, tensor "w"".
  absl::StatusOr<std::string> ValuesText(const TrailDifference& difference);
  // Whether a tensor is what the side's trail says.
  bool IsInTrail(const Side& side, const TrailDifference& difference, const Buffer& values) const;

  std::array<Side, 2> sides_;
  const ReplayOptions& options_;
  const std::string& obstacle_;
  int64_t until_ = 0;
  int replays_ = 0;
};

void TwoRuns::PrintHeads() const {
  std::array<Experiment, 2> configs;
  for (int i : {0, 1}) {
    const RecordedRun& run = sides_[i].run;
    std::printf("%s: %s, %d steps, %s\n", sides_[i].name.c_str(), run.path.c_str(),
                static_cast<int>(run.steps), run.status.c_str());
    if (!ParseText(run.config, "", &configs[i]).ok()) return;
  }
  const auto difference = FindConfigDifference(configs[0], configs[1]);
  if (!difference) return;
  std::printf("their configs differ, first in %s: %s in A, %s in B\n", difference->path.c_str(),
              difference->before.c_str(), difference->now.c_str());
}

absl::Status TwoRuns::CanReplay() const {
  const RecordedRun &a = sides_[0].run, &b = sides_[1].run;
  if (!obstacle_.empty()) return absl::FailedPreconditionError(obstacle_);
  if (a.cpu == b.cpu) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("A was made at vector level ", a.cpu, ", B at ",
                                                    b.cpu, "; one process has one of them"));
}

absl::StatusOr<std::string> TwoRuns::Replay(const Side& side, Purpose purpose, int64_t from,
                                            int64_t until) {
  RETURN_IF_ERROR(CanReplay());
  ReplayOptions options = options_;
  options.purpose = purpose;
  options.from_step = from;
  options.until_step = until;
  options.directory = absl::StrCat(options_.directory, "/", side.name, "_", ++replays_);
  std::fprintf(stderr, "%s again, up to step %d\n", side.name.c_str(), static_cast<int>(until));
  RETURN_IF_ERROR(WithContext(starling::Replay(side.run, options).status(),
                              absl::StrCat("replay of ", side.run.path)));
  return options.directory;
}

absl::StatusOr<TrailComparison> TwoRuns::CompareReplays(int64_t from, int64_t until) {
  std::array<DigestTrail, 2> trails;
  for (int i : {0, 1}) {
    ASSIGN_OR_RETURN(const std::string directory, Replay(sides_[i], Purpose::kTrail, from, until));
    ASSIGN_OR_RETURN(trails[i], ReadDigestTrail(absl::StrCat(directory, "/", kDigestTrailFile)));
  }
  const TrailComparison comparison = starling::Compare(trails[0], trails[1], from + 1, until);
  if (comparison.difference) {
    for (int i : {0, 1}) sides_[i].trail = std::move(trails[i]);
  }
  return comparison;
}

absl::StatusOr<TrailComparison> TwoRuns::CompareTrails() {
  const int64_t from = options_.from_step;
  for (Side& side : sides_) {
    if (!side.run.Has(kDigestTrailFile)) return CompareReplays(from, until_);
    ASSIGN_OR_RETURN(side.trail, ReadDigestTrail(side.run.File(kDigestTrailFile)));
  }
  TrailComparison recorded = starling::Compare(a().trail, b().trail, from + 1, until_);
  if (recorded.steps == 0 && !recorded.difference) return CompareReplays(from, until_);
  if (!recorded.difference) return recorded;
  // Steps between those that both have recorded may differ already.
  const int64_t before = std::max(from, recorded.difference->equal_step);
  if (recorded.difference->step == before + 1) return recorded;
  const auto replayed = CompareReplays(before, recorded.difference->step);
  return replayed.ok() && replayed->difference ? *replayed : recorded;
}

absl::StatusOr<bool> TwoRuns::CompareMetrics(const absl::Status& obstacle) {
  std::printf("only metrics can be compared: %s\n", std::string(obstacle.message()).c_str());
  ASSIGN_OR_RETURN(const Metrics a, ReadMetrics(sides_[0].run.path));
  ASSIGN_OR_RETURN(const Metrics b, ReadMetrics(sides_[1].run.path));
  MetricComparisonOptions options;
  options.from = options_.from_step + 1;
  options.until = until_;
  options.costs = IsSimulated(a) && IsSimulated(b);
  const MetricComparison comparison = starling::Compare(a, b, options);
  if (comparison.difference) {
    std::printf("first difference: %s\n",
                DifferenceText(*comparison.difference, "in A", "in B").c_str());
    return false;
  }
  std::printf("no difference in %d values up to step %d\n", static_cast<int>(comparison.values),
              static_cast<int>(until_));
  return true;
}

bool TwoRuns::ReportEqual(const TrailComparison& comparison) const {
  std::printf("no difference in the state of %d steps, up to step %d\n",
              static_cast<int>(comparison.steps), static_cast<int>(until_));
  const auto digest_at_end = [&](const RecordedRun& run) {
    return run.steps == until_ ? run.digest : std::nullopt;
  };
  const auto a = digest_at_end(sides_[0].run), b = digest_at_end(sides_[1].run);
  if (!a || !b || *a == *b) return true;
  std::printf("%s",
              absl::StrFormat("but they have ended in state_digest %016x and %016x: what made "
                              "the difference does not come again; `starling replay RUN` "
                              "tells in which of them it was\n",
                              *a, *b)
                  .c_str());
  return false;
}

absl::StatusOr<std::string> TwoRuns::DirectoryWithState(const Side& side, int64_t step) {
  const auto has_state = [&](const std::string& directory) {
    const std::vector<int64_t> steps = CheckpointDirectory(directory).Steps();
    return std::find(steps.begin(), steps.end(), step) != steps.end();
  };
  if (options_.set.empty() && has_state(side.run.path)) return side.run.path;
  ASSIGN_OR_RETURN(const std::string directory, Replay(side, Purpose::kState, step - 1, step));
  if (has_state(directory)) return directory;
  return absl::NotFoundError(
      absl::StrCat(side.name, " has diverged there: nothing is saved of it"));
}

bool TwoRuns::IsInTrail(const Side& side, const TrailDifference& difference,
                        const Buffer& values) const {
  const DigestTrail::State& state = side.trail.steps.at(difference.step).at(difference.worker);
  const auto place = std::find(state.tensors->begin(), state.tensors->end(), difference.tensor);
  if (place == state.tensors->end()) return false;
  return state.digests[place - state.tensors->begin()] ==
         DigestBytes({static_cast<const char*>(values.data), static_cast<size_t>(values.bytes())});
}

absl::StatusOr<std::string> TwoRuns::ValuesText(const TrailDifference& difference) {
  std::vector<CheckpointDirectory> states;
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::vector<const ShapedBuffer*> tensors;
  for (const Side& side : sides_) {
    ASSIGN_OR_RETURN(const std::string directory, DirectoryWithState(side, difference.step));
    const CheckpointDirectory& state = states.emplace_back(directory);
    ASSIGN_OR_RETURN(const CheckpointManifest manifest, state.ReadManifest(difference.step));
    const std::string name = WorkerFile(difference.worker);
    if (manifest.checksums.count(name) == 0) {
      return absl::NotFoundError(absl::StrCat(side.name, " has no worker ", difference.worker));
    }
    ASSIGN_OR_RETURN(auto file, state.OpenFile(manifest, name));
    const auto found = file->tensors().find(difference.tensor);
    if (found == file->tensors().end()) {
      return absl::NotFoundError(absl::StrCat(side.name, " has no such tensor"));
    }
    tensors.push_back(&found->second);
    files.push_back(std::move(file));
  }
  for (int i : {0, 1}) {
    if (IsInTrail(sides_[i], difference, tensors[i]->values)) continue;
    Experiment config;
    RETURN_IF_ERROR(ParseText(sides_[i].run.config, "", &config));
    if (config.train().continue_from_average()) {
      return absl::UnavailableError(
          "a validation has put the average in their place (train.continue_from_average)");
    }
    return absl::AbortedError(
        absl::StrCat("a replay of ", sides_[i].name, " does not come to what ", sides_[i].name,
                     " has recorded: what made the difference does not come again"));
  }
  ASSIGN_OR_RETURN(const auto tensor, starling::Compare(*tensors[0], *tensors[1]));
  if (!tensor) return absl::InternalError("digests differ and values do not");
  ASSIGN_OR_RETURN(const StateDifference all, CompareStates(states[0], states[1], difference.step));
  const auto element = [](const ElementDifference& what) {
    return absl::StrCat("element ", IndexText(what.index), ": ", what.a, " in A, ", what.b,
                        " in B");
  };
  std::string text = absl::StrCat(", ", element(tensor->first), "\n", all.differing_workers, " of ",
                                  all.workers, " workers and ", all.differing_tensors, " of ",
                                  all.tensors, " tensors differ there, in ");
  const std::string size = absl::StrFormat("%.6g", all.largest.size);
  if (all.differing_elements == 1) return absl::StrCat(text, "1 element, by ", size);
  return absl::StrCat(text, all.differing_elements, " elements, most by ", size, " in worker ",
                      all.largest_worker, ", ", TensorText(all.largest_tensor), ", ",
                      element(all.largest));
}

void TwoRuns::ReportDifference(const TrailDifference& difference) {
  const auto values = ValuesText(difference);
  std::printf("first difference: step %d, worker %d, %s%s\n", static_cast<int>(difference.step),
              difference.worker, TensorText(difference.tensor).c_str(),
              values.ok() ? values->c_str()
                          : absl::StrCat("\n", CountsText(difference),
                                         "; no values: ", values.status().message())
                                .c_str());
}

absl::StatusOr<bool> TwoRuns::Compare() {
  PrintHeads();
  std::fflush(stdout);
  if (until_ <= options_.from_step) {
    return absl::InvalidArgumentError(absl::StrCat("there is nothing to compare: steps after ",
                                                   options_.from_step, " up to ", until_));
  }
  const auto comparison = CompareTrails();
  if (!comparison.ok()) return CompareMetrics(comparison.status());
  if (!comparison->difference) return ReportEqual(*comparison);
  ReportDifference(*comparison->difference);
  return false;
}

}  // namespace

absl::StatusOr<bool> ReplayTwo(const RecordedRun& a, const RecordedRun& b,
                               const ReplayOptions& options, const std::string& obstacle) {
  return TwoRuns(a, b, options, obstacle).Compare();
}

}  // namespace starling
