// Reports of one run, or of the arms of one, from its directory.
#ifndef EXPERIMENTS_REPORT_RUN_INPUT_H_
#define EXPERIMENTS_REPORT_RUN_INPUT_H_

#include <string>

#include "absl/status/statusor.h"
#include "experiments/report/report.h"

namespace starling {

// What `train` has left in `run_dir`: a run, finished or not, or a directory of arms, each of which
// is a combination then. Ranked by what any of them has, in this order: BLEU, accuracy or loss on
// test data, training loss, simulated seconds. NOT_FOUND if there is no run.
absl::StatusOr<ReportInput> ReadRun(const std::string& run_dir);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_RUN_INPUT_H_
