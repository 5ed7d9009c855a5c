// What makes two configs one experiment, and what tells them apart.
#ifndef EXPERIMENTS_IDENTITY_H_
#define EXPERIMENTS_IDENTITY_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "experiments/experiment.pb.h"
#include "google/protobuf/message.h"

namespace starling {

// Clears what changes no bit of what is trained, only how: the name, backend, metric_sink,
// checkpoint, mixing.overlap and timeout_seconds, and of train how often is logged and the
// consensus distance measured, and bucket_mb unless buckets are clipped each alone.
void ClearHow(Experiment* config);

// Whether a field at `path` ("backend.config.cluster") is among what ClearHow may clear.
bool IsHow(absl::string_view path);

// A field that differs.
struct ConfigDifference {
  std::string path, before, now;  // "train.dtype"; "absent" where one has none

  // "train.max_steps was 300 and is 400 now".
  std::string text() const;
};

// All of them. Walks through the configs of plug-ins.
std::vector<ConfigDifference> Differences(const google::protobuf::Message& before,
                                          const google::protobuf::Message& now);

}  // namespace starling

#endif  // EXPERIMENTS_IDENTITY_H_
