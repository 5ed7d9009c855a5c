// From runs to what a report shows: combinations with their means and curves, best first, and how
// they compare.
#ifndef EXPERIMENTS_REPORT_ANALYSIS_H_
#define EXPERIMENTS_REPORT_ANALYSIS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/experiment.pb.h"
#include "experiments/report/report.h"
#include "experiments/report/run_record.h"
#include "experiments/statistics.h"

namespace starling {

// Up to so many combinations each is compared with each; of more, the best with every other one.
inline constexpr size_t kMostForAllPairs = 8;

// A metric over a run. NaN where a value is missing or not finite; `half_width` is that of the 95 %
// interval over seeds and empty if there is one seed only.
struct Curve {
  std::vector<double> mean, half_width;
};

// Metrics that were recorded at the same steps, which all seeds have. Seconds and megabytes are
// means over the seeds, too: seeds are compared after equally many steps.
struct CurveGroup {
  std::vector<int64_t> step;
  std::vector<double> seconds, megabytes;
  std::map<std::string, Curve> curves;
};

// Runs that differ in their seeds only.
struct Combination {
  std::string label;                  // "gossip, lr=0.1"
  std::vector<std::string> values;    // one per column
  std::vector<size_t> runs;           // in ReportInput::runs
  std::map<uint64_t, double> scores;  // the metric by seed, of the runs that count
  MeanEstimate score;
  std::map<std::string, int> left_out;    // runs that do not count, by status
  bool unfinished = false;                // no run counts; curves and numbers are of those begun
  std::vector<CurveGroup> curves;         // thinned
  std::map<std::string, double> numbers;  // of summary.json, means of those that all runs have
  std::vector<LinkTraffic> links;         // means, of the runs that have any
  std::optional<Experiment> config;       // of one run
};

struct Comparison {
  size_t a = 0, b = 0;  // in Analysis::combinations
  PairedDifference difference;
  std::optional<double> p;  // after Holm's correction
};

// What one run adds to the table of runs.
struct RunOutcome {
  std::optional<double> score;  // also of runs that do not count
  std::map<std::string, double> numbers;
  std::string message, state_digest;
};

struct Analysis {
  std::vector<RunOutcome> runs;           // as ReportInput::runs
  std::vector<Combination> combinations;  // best first; those without a score last
  bool all_pairs = true;
  std::vector<Comparison> comparisons;
  bool any_simulated = false, any_measured = false;  // which seconds there are
};

// "done" runs count, if they have a score. Reads every run's directory.
absl::StatusOr<Analysis> Analyze(const ReportInput& input);

// Whether the first combination is better than every other one that has a score.
bool BestIsDistinguishable(const Analysis& analysis, bool larger_is_better);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_ANALYSIS_H_
