// Where the time of a run went: by phase and by worker, how much of communication was hidden
// behind compute, who was slow and what that cost the others, and how many bytes went where.
#ifndef EXPERIMENTS_TIME_LEDGER_H_
#define EXPERIMENTS_TIME_LEDGER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "comm/recorder.h"
#include "core/state.h"

namespace starling {

// What one worker reports at its end.
struct WorkerTotals {
  std::vector<int64_t> bytes_by_destination;  // training traffic
  double communication_seconds = 0;           // in which an exchange was under way
};

// The slowest worker is the one with the most compute (all phases but waiting) per step.
struct SlowestWorker {
  int worker = 0;
  double compute_ms = 0;         // per step
  double median_compute_ms = 0;  // of all workers
  double others_wait_ms = 0;     // per step and worker, beyond what the slowest itself waits
};

struct LinkBytes {
  int from = 0, to = 0;
  int64_t bytes = 0;
};

// Means are over steps and workers.
struct TimeSplit {
  double step_ms_mean = 0, step_ms_p50 = 0, step_ms_p99 = 0;  // percentiles: over steps
  std::vector<float> step_ms;                                 // of every step
  PhaseSeconds phase_ms{};
  std::vector<PhaseSeconds> worker_phase_ms;  // by worker
  double exposed_comm_ms = 0;                 // = phase_ms of kWait

  // 1 - waiting / time in which exchanges were under way, in [0, 1]; NaN without communication.
  double overlap_fraction = 0;
  SlowestWorker slowest;
  std::vector<LinkBytes> links;  // training traffic, by sender and receiver
};

// Not thread-safe.
class TimeLedger {
 public:
  explicit TimeLedger(int workers) : phases_(workers), totals_(workers) {}

  // One step of one worker; `phases` and `seconds` of all workers make one step.
  void AddStep(int worker, const PhaseSeconds& phases);
  void EndStep(double seconds);  // mean over the workers

  void SetTotals(int worker, WorkerTotals totals) { totals_[worker] = std::move(totals); }

  TimeSplit Split() const;

  // What steps have been added; the totals are the workers' own.
  absl::Status VisitState(StateVisitor* visitor);

 private:
  std::vector<PhaseSeconds> phases_;  // sums, by worker
  std::vector<float> step_ms_;
  std::vector<WorkerTotals> totals_;
};

}  // namespace starling

#endif  // EXPERIMENTS_TIME_LEDGER_H_
