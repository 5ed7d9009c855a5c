// Differences in words.
#ifndef EXPERIMENTS_REPLAY_REPORT_H_
#define EXPERIMENTS_REPLAY_REPORT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "experiments/digest_trail.h"
#include "experiments/replay/metric_comparison.h"

namespace starling {

// "step 20, train/loss: 0.5 recorded, 0.25 replayed", where a is what is recorded.
std::string DifferenceText(const MetricDifference& difference, absl::string_view a,
                           absl::string_view b);

// "1 of 4 workers and 3 of 24 tensors differ there".
std::string CountsText(const TrailDifference& difference);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_REPORT_H_
