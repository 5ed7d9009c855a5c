// `train --resume`: what a run goes on from.
#ifndef EXPERIMENTS_RESUME_H_
#define EXPERIMENTS_RESUME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/identity.h"
#include "experiments/plan.h"

namespace starling {

// What a user asks for.
struct ResumeRequest {
  std::string source;          // path of the run whose checkpoint is meant
  int64_t step = -1;           // the checkpoint's; -1: the newest that is whole
  bool may_be_absent = false;  // without a checkpoint the run starts from the beginning
};

// A whole checkpoint that fits the plan.
struct ResumePoint {
  std::string source;  // absolute
  CheckpointManifest manifest;
};

// Finds what `plan` can go on from; absent: nothing, and that is allowed. Checks every file. Tells
// in `notes` of checkpoints that are passed over because they are damaged.
// FAILED_PRECONDITION, in one sentence, if the checkpoint is of another experiment: what has to be
// equal is everything but the name, backend, metric_sink, checkpoint, mixing.overlap and
// timeout_seconds, and of train the length of the run, bucket_mb and how often is logged and
// measured. DATA_LOSS if no checkpoint is whole; NOT_FOUND if one must be there and is not.
absl::StatusOr<std::optional<ResumePoint>> FindResumePoint(const ResumeRequest& request,
                                                           const Plan& plan,
                                                           std::vector<std::string>* notes);

// The first field that decides on the bits of a step and differs, as defined above.
std::optional<ConfigDifference> FindConfigDifference(Experiment before, Experiment now);

// Whether the run at `run_directory` is this plan's and has ended as planned.
bool IsFinished(const std::string& run_directory, const Plan& plan);

}  // namespace starling

#endif  // EXPERIMENTS_RESUME_H_
