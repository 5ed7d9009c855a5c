// Stopping all workers at the same step, in one process or in many: a worker that stopped earlier
// than the others would leave them waiting for its messages.
//
// The lead (process 0) decides. It first has all processes hold their workers before the next step
// and say which step they have begun last; nobody begins a step after the largest of these.
#ifndef EXPERIMENTS_STOP_AGREEMENT_H_
#define EXPERIMENTS_STOP_AGREEMENT_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "comm/process_group.h"
#include "experiments/run_message.pb.h"

namespace starling {

enum class StopReason { kRequested, kOutOfTime, kDiverged };

// A stop that all processes know of from the beginning.
struct PlannedEnd {
  int64_t step = 0;  // no worker begins this step or a later one
  StopReason reason = StopReason::kRequested;
};

// Thread-safe.
class StopAgreement {
 public:
  // `group` (not owned): the run's processes; null if it is only this one.
  StopAgreement(ProcessGroup* group, int workers, std::optional<PlannedEnd> end = std::nullopt)
      : group_(group), end_(end), entered_(workers, -1) {}

  // Before every step of every worker of this process; blocks while the lead decides. False: the
  // run ends before this step.
  bool Enter(int worker, int64_t step);

  // Ends the run after the steps under way. The first reason stays.
  void Request(StopReason reason);

  // Why the run ends; the same in all processes once Enter has returned false there.
  std::optional<StopReason> reason() const;

  // A message of another process, if it is about stopping.
  void OnMessage(int from, const RunMessage& message);

  // The run has failed: nobody is held any longer.
  void Release();

 private:
  int64_t LastEntered() const;
  void Settle(int64_t stop_step, StopReason reason);
  void SettleIfAllAnswered();

  ProcessGroup* group_;
  const std::optional<PlannedEnd> end_;
  mutable std::mutex mutex_;
  std::condition_variable settled_;
  std::vector<int64_t> entered_;         // last step each worker of this process has begun
  std::optional<StopReason> requested_;  // the lead's
  int unanswered_ = 0;                   // processes that have not said where they hold
  int64_t largest_ = -1;                 // step that was said so far
  bool held_ = false;
  int64_t stop_step_ = INT64_MAX;
  std::optional<StopReason> reason_;
};

}  // namespace starling

#endif  // EXPERIMENTS_STOP_AGREEMENT_H_
