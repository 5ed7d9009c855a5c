// summary.json: what a run came to.
#ifndef EXPERIMENTS_SUMMARY_H_
#define EXPERIMENTS_SUMMARY_H_

#include <string>

#include "absl/status/statusor.h"
#include "experiments/experiment.pb.h"
#include "experiments/monitor.h"

namespace starling {

// Numbers that are missing or not finite are null.
std::string SummaryJson(const Experiment& config, const RunResult& result);

// What a comparison needs of the summary in `run_directory`: no times of steps. The digest is 0 of
// a run that failed. DATA_LOSS for one that SummaryJson did not write.
absl::StatusOr<RunResult> ReadSummary(const std::string& run_directory);

}  // namespace starling

#endif  // EXPERIMENTS_SUMMARY_H_
