// Reports: one HTML file that shows what a run, or many runs of a sweep, came to, and figures and
// a table for a paper beside it.
//
//   DIR/report.html          everything in one file: opens offline, in any browser
//   DIR/figures/NAME.svg     curves and the ranking, each with its numbers in NAME.csv
//   DIR/figures/results.tex  a booktabs table: mean and 95 % interval of every combination
//
// Runs that differ in their seeds only are one combination: curves are means over its seeds with
// bands of 95 % intervals, and combinations are compared seed by seed (experiments/statistics.h).
// A run that did not end well is listed, but is no part of any mean; how many there are is said.
#ifndef EXPERIMENTS_REPORT_REPORT_H_
#define EXPERIMENTS_REPORT_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace starling {

// One run, as the report sees it.
struct ReportRun {
  std::string id;      // of the run in its sweep; the directory's name for a lone run
  std::string status;  // "done", "diverged", "failed", "interrupted", "pending", ...
  uint64_t seed = 0;
  std::vector<std::string> values;  // one per ReportInput::columns
  std::string directory;            // of the run; may not exist
};

struct ReportInput {
  std::string title;
  std::vector<std::string> columns;  // "arm" (if there are arms) and the paths of the axes; empty
                                     // for a lone run
  // What runs are ranked by: "eval_accuracy", "eval_loss", ... (a name in summary.json), or the
  // last value of a metric in metrics.jsonl, "validation/loss".
  std::string metric;
  bool larger_is_better = false;
  std::vector<ReportRun> runs;
  std::string config_text;            // of the sweep, or resolved config of the run
  std::vector<std::string> commands;  // that reproduce this, one per line
};

// Writes the report and the figures into `directory`, over those of an earlier report. What a run
// has not written (yet) is left out. INVALID_ARGUMENT if a run has not one value per column;
// otherwise errors of files, with their paths.
absl::Status WriteReport(const ReportInput& input, const std::string& directory);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_REPORT_H_
