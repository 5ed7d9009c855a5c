// One launcher's work on a sweep: runs what nobody has run, so many at a time.
//
// Any number of these may work on one directory. A run is claimed before it starts, and whoever
// claims it looks once more whether it is over; so every run runs to its end exactly once,
// whichever of them die. A run is a process of its own: whatever it dies of, the queue goes on.
#ifndef EXPERIMENTS_SWEEP_RUN_QUEUE_H_
#define EXPERIMENTS_SWEEP_RUN_QUEUE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/sweep/child_process.h"
#include "experiments/sweep/expansion.h"
#include "experiments/sweep/file_lock.h"
#include "experiments/sweep/live_view.h"
#include "experiments/sweep/sweep_directory.h"

namespace starling {

struct QueueOptions {
  int jobs = 1;
  bool resume = false;        // go on with runs that were interrupted
  bool retry_failed = false;  // once each, of those that had failed before
  bool fail_fast = false;     // stop at the first failure

  // The command of a run that may use so many cores.
  std::function<std::vector<std::string>(const SweepRun& run, int cores)> command;
  const std::atomic<bool>* stop = nullptr;  // set: let runs finish their step, then end
  std::function<void()> run_ended;          // called after each, e.g. to write tables; may be empty
};

enum class QueueEnd {
  kFinished,  // every run has a result
  kLeft,      // some have failed or are left interrupted
  kStopped    // options.stop
};

class RunQueue {
 public:
  // All outlive the queue.
  RunQueue(const Sweep& sweep, const SweepDirectory& directory, QueueOptions options,
           LiveView* view);

  // Returns when no run is left to start and none runs, here or elsewhere. Errors are those of the
  // directory; runs that fail are none.
  absl::StatusOr<QueueEnd> Run(const Expansion& expansion);

 private:
  struct Running {
    const SweepRun* run;
    std::unique_ptr<FileLock> claim;
    std::vector<std::unique_ptr<FileLock>> core_locks;
    std::unique_ptr<ChildProcess> process;
    double started = 0;
    int attempts = 1;
    std::string end_reason;  // why we have stopped it; empty: we have not
    RunState end_state = RunState::kInterrupted;
    double kill_at = 0;     // 0: not yet asked to stop
    int64_t next_rung = 0;  // 0: none
    double looked_at = 0;   // whether it has reached that
  };

  // Starts what can be started. False if nothing is left, here or elsewhere.
  absl::StatusOr<bool> StartMore();
  absl::Status Start(const SweepRun& run, std::unique_ptr<FileLock> claim, int attempts);
  bool MayStart(const SweepRun& run, RunState state);
  // Records a run whose launcher died after it had ended; false: it has not.
  absl::StatusOr<bool> RecordEnded(const SweepRun& run);

  absl::Status Reap();
  absl::Status Ended(Running* running, int wait_status);
  void Watch(Running* running);
  void StopEarly(Running* running);
  void AskToStop(Running* running, RunState state, std::string reason);

  // Locks processors of this machine for one run; without enough free ones, none.
  std::vector<int> TakeCores(std::vector<std::unique_ptr<FileLock>>* locks);
  void Settle(const SweepRun& run, RunState state);
  void Show();
  std::string NameOf(const SweepRun& run) const;

  const Sweep& sweep_;
  const SweepDirectory& directory_;
  const QueueOptions options_;
  LiveView* const view_;
  std::vector<int> usable_cores_;
  int cores_per_run_ = 1;

  const Expansion* expansion_ = nullptr;
  std::vector<Running> running_;
  std::map<std::string, RunState> settled_;   // by id
  std::map<std::string, int> failed_before_;  // attempts of what had failed when this began, by id
  std::set<std::string> tried_;               // by this queue
  int failures_ = 0;                          // of runs of this queue
  double seconds_of_runs_ = 0;
  int timed_runs_ = 0;
  double shown_at_ = 0;
  std::string best_;
  std::optional<double> best_metric_;
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_RUN_QUEUE_H_
