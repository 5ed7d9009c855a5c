// `starling replay A B`: where do two runs part?
#ifndef EXPERIMENTS_REPLAY_REPLAY_TWO_H_
#define EXPERIMENTS_REPLAY_REPLAY_TWO_H_

#include <string>

#include "absl/status/statusor.h"
#include "experiments/replay/recorded_run.h"
#include "experiments/replay/replayer.h"

namespace starling {

// Prints the first step, worker, tensor and element that differ, and returns whether none does.
//
// Step, worker and tensor come from the digest trails that the runs have recorded; a run that has
// none is replayed for one. Values come from checkpoints after that step: the run's own, if it has
// one, else that of a replay up to there. Where the runs cannot be replayed, metrics are compared.
//
// Replays write below `options.directory`; its purpose is not used. `obstacle`: why no replay has
// the bits of a recorded run here; empty: it has. Not for several processes.
absl::StatusOr<bool> ReplayTwo(const RecordedRun& a, const RecordedRun& b,
                               const ReplayOptions& options, const std::string& obstacle);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_REPLAY_TWO_H_
