// `starling replay RUN`: does the run come out again?
#ifndef EXPERIMENTS_REPLAY_REPLAY_ONE_H_
#define EXPERIMENTS_REPLAY_REPLAY_ONE_H_

#include <string>

#include "absl/status/statusor.h"
#include "experiments/replay/recorded_run.h"
#include "experiments/replay/replayer.h"

namespace starling {

// Bits can be compared only where they can be the same.
struct Exactness {
  std::string obstacle;  // why they cannot; empty: they can
  double tolerance = 0;  // of metrics then, relative
};

// Runs it again and prints what is equal and what is not. Returns whether all is; where there are
// several processes, in those that do not lead, true.
absl::StatusOr<bool> ReplayOne(const RecordedRun& run, const ReplayOptions& options,
                               Exactness exactness);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_REPLAY_ONE_H_
