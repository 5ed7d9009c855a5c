// Running a recorded run again.
#ifndef EXPERIMENTS_REPLAY_REPLAYER_H_
#define EXPERIMENTS_REPLAY_REPLAYER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/flags.h"
#include "experiments/monitor.h"
#include "experiments/prepare.h"
#include "experiments/replay/recorded_run.h"

namespace starling {

struct ReplayOptions {
  enum class Purpose {
    kRepeat,  // everything as it was recorded, to be compared with the record
    kTrail,   // digests of every step, nothing else
    kState,   // a checkpoint after the last step, nothing else
  };
  Purpose purpose = Purpose::kRepeat;
  std::string directory;                  // where it writes; must not exist or be empty
  int64_t from_step = 0;                  // from the run's newest checkpoint that is not after it
  int64_t until_step = INT64_MAX;         // at the latest; else as many steps as the run made
  std::vector<std::string> set;           // changes of the config, "path=value"
  std::vector<std::string> command_line;  // for the record
};

struct Replayed {
  int64_t first_step = 0;  // steps that were made before it began
  std::string backend;
  bool deterministic = true;  // bits depend on timing neither in the run nor in this
  RunResult result;           // whole in the lead
};

// The run's config as one that is part of the program, and what changes it here: what --set asks
// for, and threads in place of MPI where no launcher has started this process.
BuiltInConfig ConfigOf(const RecordedRun& run);
Arguments ArgumentsOf(const RecordedRun& run, const std::vector<std::string>& set);

// Whether data and partition of a prepared replay are the run's. FAILED_PRECONDITION names the data
// set and both fingerprints.
absl::Status CheckData(const RecordedRun& run, const std::vector<Job>& jobs);

// Trains again. The result is that of the training; a comparison is the caller's. Where a launcher
// has started several processes all of them call it. Errors: those of Prepare, CheckData and
// RunTraining.
absl::StatusOr<Replayed> Replay(const RecordedRun& run, const ReplayOptions& options);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_REPLAYER_H_
