// What a run directory says of its run, as far as a replay needs it.
#ifndef EXPERIMENTS_REPLAY_RECORDED_RUN_H_
#define EXPERIMENTS_REPLAY_RECORDED_RUN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/run/run_directory.h"

namespace starling {

struct RecordedRun {
  std::string path;
  std::string config;  // the text of config.textproto
  std::string status;  // the word in STATUS
  std::string backend;

  // Of manifest.json; empty: not known.
  std::string commit;
  bool dirty = false;              // source.patch has what is in no commit
  std::string cpu;                 // the vector level
  std::string data, partition;     // fingerprints
  bool resumed = false;            // it was made in several parts
  int64_t steps = 0;               // that were made, as far as it is known
  std::optional<uint64_t> digest;  // of the state after them; absent: the run did not end well
  bool ended_as_planned = false;   // ... with the last evaluation

  std::string File(const std::string& name) const { return path + "/" + name; }
  bool Has(const std::string& name) const;
};

// Reads the record of the run at `path`. NOT_FOUND if there is none, DATA_LOSS naming a file that
// is none of a run's, INVALID_ARGUMENT for a comparison of arms, which is several runs, and for a
// config that this program cannot read, such as one with a plug-in that it does not link.
absl::StatusOr<RecordedRun> ReadRecordedRun(const std::string& path);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_RECORDED_RUN_H_
