#include "experiments/replay/replay_one.h"

#include <cinttypes>
#include <cstdio>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status.h"
#include "experiments/digest_trail.h"
#include "experiments/launch.h"
#include "experiments/replay/metric_comparison.h"
#include "experiments/replay/report.h"
#include "experiments/replay/state_difference.h"

namespace starling {
namespace {

// What is known of the run and its replay once both are there.
struct Pair {
  const RecordedRun& run;
  const Replayed& replayed;
  const std::string directory;  // of the replay

  bool whole() const { return replayed.result.steps == run.steps && run.digest.has_value(); }
};

void Print(const char* what, bool equal, const std::string& details) {
  std::printf("%-13s %s: %s\n", what, equal ? "equal" : "DIFFERENT", details.c_str());
}

// Each prints what it compares and returns whether that is equal; absent: there is nothing.
std::optional<bool> CompareDigests(const Pair& pair) {
  if (!pair.whole()) return std::nullopt;
  const bool equal = *pair.run.digest == pair.replayed.result.state_digest;
  Print("state_digest", equal,
        equal ? absl::StrFormat("%016x", *pair.run.digest)
              : absl::StrFormat("%016x recorded, %016x replayed", *pair.run.digest,
                                pair.replayed.result.state_digest));
  return equal;
}

absl::StatusOr<std::optional<bool>> CompareMetrics(const Pair& pair, const Exactness& exactness) {
  const auto recorded = ReadMetrics(pair.run.path);
  if (absl::IsNotFound(recorded.status())) return std::nullopt;
  RETURN_IF_ERROR(recorded.status());
  ASSIGN_OR_RETURN(const Metrics replayed, ReadMetrics(pair.directory));
  MetricComparisonOptions options;
  options.from = pair.replayed.first_step + 1;
  options.until = pair.replayed.result.steps;
  // A replay of a part ends with records of its own, and so did the parts of a run that went on.
  options.more_in_a = pair.run.resumed;
  options.more_in_b = pair.run.resumed || !pair.whole();
  options.windows = !pair.run.resumed;
  // What was under way when a run was stopped was sent again, and counted.
  options.costs = !pair.run.resumed && pair.replayed.first_step == 0 &&
                  pair.run.backend == pair.replayed.backend && IsSimulated(*recorded);
  if (!exactness.obstacle.empty()) options.tolerance = exactness.tolerance;
  const MetricComparison comparison = Compare(*recorded, replayed, options);
  if (comparison.values == 0) return std::nullopt;
  const bool equal = !comparison.difference;
  std::string details =
      absl::StrCat(comparison.values, " values, ", options.costs ? "times" : "times and traffic",
                   " not compared");
  if (!exactness.obstacle.empty()) {
    absl::StrAppend(&details, "; largest relative difference ",
                    absl::StrFormat("%.2g", comparison.largest), ", tolerance ",
                    absl::StrFormat("%.2g", exactness.tolerance));
  }
  if (!equal) {
    details =
        absl::StrCat("first at ", DifferenceText(*comparison.difference, "recorded", "replayed"));
  }
  Print("metrics", equal, details);
  return equal;
}

absl::StatusOr<std::optional<bool>> CompareTrails(const Pair& pair) {
  if (!pair.run.Has(kDigestTrailFile)) return std::nullopt;
  ASSIGN_OR_RETURN(const DigestTrail recorded, ReadDigestTrail(pair.run.File(kDigestTrailFile)));
  ASSIGN_OR_RETURN(const DigestTrail replayed,
                   ReadDigestTrail(absl::StrCat(pair.directory, "/", kDigestTrailFile)));
  const TrailComparison comparison = Compare(recorded, replayed, pair.replayed.first_step + 1);
  if (comparison.steps == 0 && !comparison.difference) return std::nullopt;
  const auto& difference = comparison.difference;
  Print("digest trail", !difference,
        difference ? absl::StrCat("first difference: step ", difference->step, ", worker ",
                                  difference->worker, ", ", TensorText(difference->tensor), "; ",
                                  CountsText(*difference))
                   : absl::StrCat(comparison.steps, " steps"));
  return !difference;
}

}  // namespace

absl::StatusOr<bool> ReplayOne(const RecordedRun& run, const ReplayOptions& options,
                               Exactness exactness) {
  ASSIGN_OR_RETURN(const Replayed replayed, Replay(run, options));
  if (!IsLead()) return true;
  if (!replayed.deterministic && exactness.obstacle.empty()) {
    exactness.obstacle = "the algorithm depends on timing, but where time is simulated";
  }
  const Pair pair{run, replayed, options.directory};
  std::printf("%s again, steps %" PRId64 " to %" PRId64 " of %" PRId64 ", on %s\n",
              run.path.c_str(), replayed.first_step + 1, replayed.result.steps, run.steps,
              replayed.backend == run.backend
                  ? run.backend.c_str()
                  : absl::StrCat(replayed.backend, " (recorded on ", run.backend, ")").c_str());
  const bool exact = exactness.obstacle.empty();
  if (!exact) {
    std::printf("only a comparison within tolerance is possible: %s\n", exactness.obstacle.c_str());
  }
  std::optional<bool> digests, trails;
  if (exact) digests = CompareDigests(pair);
  ASSIGN_OR_RETURN(const std::optional<bool> metrics, CompareMetrics(pair, exactness));
  if (exact) {
    ASSIGN_OR_RETURN(trails, CompareTrails(pair));
  }
  if (!digests && !metrics && !trails) {
    return absl::NotFoundError(absl::StrCat(
        run.path,
        " has recorded nothing of these steps that could be compared: the digest after "
        "the last step, metrics.jsonl, or digests.jsonl (train.digest_every_steps)"));
  }
  const bool equal = digests.value_or(true) && metrics.value_or(true) && trails.value_or(true);
  std::printf("%s\n", !equal ? "different" : exact ? "equal" : "equal within tolerance");
  return equal;
}

}  // namespace starling
