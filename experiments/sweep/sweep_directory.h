// The directory of a sweep. Everything that launchers must agree on is in files here, so that
// several may work on one sweep, on several machines, and any of them may die at any moment:
//
//   sweep.textproto       the definition, with its base      sweep.json     title, metric, build
//   configs/<id>.textproto, runs/<id>/, logs/<id>.log        of each run that was started
//   claims/<id>           locked (flock) by the launcher that runs it
//   outcomes/<id>.json    how a run ended; a run with this file is over
//   runs.csv  summary.csv  differences.csv  report.html      what came out
//
// Files are written whole or not at all.
#ifndef EXPERIMENTS_SWEEP_SWEEP_DIRECTORY_H_
#define EXPERIMENTS_SWEEP_SWEEP_DIRECTORY_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "experiments/sweep/file_lock.h"
#include "experiments/sweep/sweep.pb.h"

namespace starling {

enum class RunState {
  kPending,      // nobody has started it
  kRunning,      // a launcher has claimed it
  kInterrupted,  // started, but nobody runs it
  kFailed,
  kStopped,   // early, because others were better
  kDiverged,  // a result as well
  kDone
};

// "pending", "running", "interrupted", "failed", "stopped", "diverged", "done".
absl::string_view RunStateName(RunState state);

// Whether nothing is left to do for the run.
inline bool IsFinished(RunState state) {
  return state == RunState::kDone || state == RunState::kDiverged || state == RunState::kStopped;
}

// How a run ended.
struct Outcome {
  RunState state = RunState::kDone;  // kDone, kDiverged, kStopped or kFailed
  std::string reason;                // of the last two
  int attempts = 1;                  // that ended, this one included
};

class SweepDirectory {
 public:
  explicit SweepDirectory(std::string path) : path_(std::move(path)) {}

  // Makes the directory, or joins the sweep in it, whose axes, arms and seeds may have changed:
  // runs know what they are. FAILED_PRECONDITION, with what differs, if its base was another one;
  // if it was begun by another `build` unless `accept_build`; if the directory holds something
  // else.
  absl::Status Begin(const Sweep& sweep, const std::string& build, bool accept_build) const;

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;
  std::string RunPath(absl::string_view id) const;
  std::string LogPath(absl::string_view id) const;
  std::string ConfigPath(absl::string_view id) const;

  RunState StateOf(absl::string_view id) const;

  // Absent: the run is not over. DATA_LOSS for a file that is damaged.
  absl::StatusOr<std::optional<Outcome>> ReadOutcome(absl::string_view id) const;
  absl::Status WriteOutcome(absl::string_view id, const Outcome& outcome) const;

  // The right to run `id` and to write its outcome, for as long as it lives; null while another
  // launcher has it, or while a process that a dead one has left behind still writes the run.
  absl::StatusOr<std::unique_ptr<FileLock>> Claim(absl::string_view id) const;

 private:
  std::string path_;
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_SWEEP_DIRECTORY_H_
