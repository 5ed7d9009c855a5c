// What a run left in its directory, as far as a report needs it.
#ifndef EXPERIMENTS_REPORT_RUN_RECORD_H_
#define EXPERIMENTS_REPORT_RUN_RECORD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "experiments/experiment.pb.h"

namespace starling {

// Where a run was after some step.
struct Progression {
  double seconds = 0;    // simulated ones in a simulated run, else since training began
  double megabytes = 0;  // sent per worker, 10^6 bytes
};

// Bytes of training traffic from one worker to another.
struct LinkTraffic {
  int from = 0, to = 0;
  double bytes = 0;
};

struct RunRecord {
  // Values of the whole world by name and step ("train/loss" at 200). Not finite: NaN.
  std::map<std::string, std::map<int64_t, double>> metrics;
  std::map<int64_t, Progression> progress;  // at every step of `metrics`
  bool simulated = false;

  // The numbers in summary.json, inner ones with their path ("step_ms/p50"), of lists of numbers
  // the extremes ("worker_loss/least", "worker_loss/most"); without nulls. Those of prediction.json
  // begin with "predicted/".
  std::map<std::string, double> numbers;
  std::string message, state_digest;
  std::vector<LinkTraffic> links;

  std::optional<Experiment> config;  // as resolved; absent if its plug-ins are not linked
};

// Reads metrics.jsonl, summary.json, prediction.json and config.textproto; what does not exist
// stays empty, and a last line that a kill cut off is dropped. DATA_LOSS for a file that no run has
// written.
absl::StatusOr<RunRecord> ReadRunRecord(const std::string& directory);

// A number of summary.json, or the last finite value of a metric (a name with a '/').
std::optional<double> ValueOf(const RunRecord& record, const std::string& metric);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_RUN_RECORD_H_
