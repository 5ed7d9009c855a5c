// Reports of sweeps, from the files of a sweep's directory.
#ifndef EXPERIMENTS_REPORT_SWEEP_INPUT_H_
#define EXPERIMENTS_REPORT_SWEEP_INPUT_H_

#include <string>

#include "absl/status/statusor.h"
#include "experiments/report/report.h"

namespace starling {

// Reads of a sweep's directory D
//
//   D/runs.csv         run_id,status,seed,<columns...>,eval_accuracy,eval_loss,wall_seconds,
//                      state_digest; a row per run, quoted by RFC 4180
//   D/sweep.textproto  the sweep as text, which is shown
//   D/sweep.json       {"title", "metric", "larger_is_better", "commands": [...]}
//
// and expects the runs in D/runs/<run_id>/. NOT_FOUND if one of the files is missing; DATA_LOSS
// names the file, the line and what is wrong there.
absl::StatusOr<ReportInput> ReadSweep(const std::string& sweep_dir);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_SWEEP_INPUT_H_
