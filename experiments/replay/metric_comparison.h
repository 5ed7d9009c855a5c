// Comparing what two runs have recorded in metrics.jsonl.
#ifndef EXPERIMENTS_REPLAY_METRIC_COMPARISON_H_
#define EXPERIMENTS_REPLAY_METRIC_COMPARISON_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"

namespace starling {

struct MetricKey {
  int64_t step = 0;
  int worker = -1;  // -1: the whole world
  std::string name;

  bool operator<(const MetricKey& other) const {
    return std::tie(step, worker, name) < std::tie(other.step, other.worker, other.name);
  }
};

// By step, worker and name; NaN for what is not finite. Times are left out, since no two runs
// share them, but simulated ones, which are rounded to ns.
using Metrics = std::map<MetricKey, double>;

// Reads metrics.jsonl of the run at `directory`. NOT_FOUND, or DATA_LOSS naming the line.
absl::StatusOr<Metrics> ReadMetrics(const std::string& directory);

// Whether time was simulated. Elsewhere what has been sent so far depends on timing, like time: the
// later phases of a group sum go out when whoever waits for it looks.
bool IsSimulated(const Metrics& metrics);

struct MetricComparisonOptions {
  int64_t from = 0, until = INT64_MAX;  // steps, both included
  double tolerance = 0;                 // relative to the larger of two values
  bool costs = true;                    // compare bytes that were sent and simulated time, too
  bool windows = true;                  // compare means over the steps since a record before
  // What only one has is no difference.
  bool more_in_a = false, more_in_b = false;
};

struct MetricDifference {
  MetricKey key;
  std::optional<double> a, b;  // absent: that one has not recorded it
};

struct MetricComparison {
  int64_t values = 0;                          // compared
  double largest = 0;                          // relative difference among them
  std::optional<MetricDifference> difference;  // the first beyond the tolerance
};

MetricComparison Compare(const Metrics& a, const Metrics& b,
                         const MetricComparisonOptions& options);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_METRIC_COMPARISON_H_
