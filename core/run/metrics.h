// Metrics: what a run reports while it goes, and the sinks that write it down.
#ifndef CORE_RUN_METRICS_H_
#define CORE_RUN_METRICS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace starling {

// Numbers that belong to one step. Names are paths as TensorBoard groups them: "train/loss",
// "eval/accuracy", "consensus/distance", "comm/bytes", "time/step_ms". Units stand in the name
// where the quantity has one. They are UTF-8, and no name appears twice or is "step", "epoch",
// "worker" or "wall_s". Values may be NaN or infinite.
struct MetricRecord {
  int64_t step = 0;
  double epoch = 0;
  int worker = -1;          // -1: the whole world
  double wall_seconds = 0;  // since the start of training
  std::vector<std::pair<std::string, double>> values;
};

// Writes records of one run into its directory. A run that is resumed continues where the sink's
// position was: what an earlier part of the run recorded after it is cut off. Calls come from one
// thread at a time. What was recorded before a crash or a kill stays readable.
class MetricSink {
 public:
  static constexpr char kKind[] = "metric_sink";
  struct Context {
    std::string directory;      // exists
    std::string position = "";  // of an earlier part of the run; empty: nothing of one is kept
  };

  virtual ~MetricSink() = default;

  // The record reaches the system before this returns. Errors name the file and the reason; then
  // nothing of the record stays, and the next one may be tried.
  virtual absl::Status Record(const MetricRecord& record) = 0;

  // Where the next record goes, for a Context; one line. Default: nowhere that one can come back
  // to.
  virtual std::string position() const { return ""; }

  // Waits until all records are on the disk, safe from a crash of the machine too.
  virtual absl::Status Flush() = 0;
};

// For sinks whose position is a file's size: that size; 0 for an empty one.
inline int64_t SizeAt(absl::string_view position) {
  int64_t size = 0;
  return absl::SimpleAtoi(position, &size) ? size : 0;
}

}  // namespace starling

#endif  // CORE_RUN_METRICS_H_
