// The monitor: where the workers of this process meet the outside world. It collects what they
// report, has all of them stop at the same step, shows progress, feeds the metric sinks, and tells
// who waits for whom when a run does not get on.
//
// In a run of several processes each has a monitor. Reports travel to that of process 0, the lead,
// which alone writes and shows anything.
#ifndef EXPERIMENTS_MONITOR_H_
#define EXPERIMENTS_MONITOR_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "comm/process_group.h"
#include "comm/recorder.h"
#include "core/clock.h"
#include "core/run/metrics.h"
#include "core/run/run_directory.h"
#include "core/state.h"
#include "experiments/digest_trail.h"
#include "experiments/hang_report.h"
#include "experiments/plan.h"
#include "experiments/progress.h"
#include "experiments/step_report.h"
#include "experiments/stop_agreement.h"
#include "experiments/time_ledger.h"

namespace starling {

// One evaluation: the averaged model, and the workers' own models beside it.
struct Evaluation {
  double loss = 0;
  std::optional<double> accuracy;                    // absent where there are no classes
  std::optional<double> perplexity;                  // exp(loss); absent where there are no tokens
  std::optional<double> bleu;                        // 0 to 100; absent where nothing is translated
  std::vector<double> worker_loss, worker_accuracy;  // of those alive, by rank; the latter if any
};

// What the whole run came to.
struct RunResult {
  RunStatus status = RunStatus::kRunning;
  std::string message;  // why, if it did not end well
  int64_t steps = 0;
  double wall_seconds = 0;
  std::optional<double> sim_seconds;  // virtual time of the last step's end, if time is simulated
  double train_loss = 0;              // mean over the workers and over the steps of the last epoch
  double consensus_distance = 0;
  int64_t bytes_sent = 0;  // sum over the workers
  bool evaluated = false;
  Evaluation test;
  uint64_t state_digest = 0;
  TimeSplit time;
};

// Where a run writes, and what it goes on from. Paths are absolute.
struct RunStart {
  std::string run_directory;  // empty: nothing is written
  std::string source;         // the run whose checkpoint after `step` steps is loaded; empty: none
  int64_t step = 0;
};

// What the monitor of a run may have besides.
struct MonitorOptions {
  ProcessGroup* group = nullptr;  // not owned; null: the run is this process
  std::function<void(const std::string& page)> publish_page;  // of a hang; in the lead only
  RunStart start;                                             // in the lead: told to all others
  DigestTrailWriter* digests = nullptr;  // not owned; in the lead: gets what is reported
  // The same in all processes: where the run ends at the latest, unless the plan does before;
  // neither time nor a loss that is not finite then ends it.
  std::optional<PlannedEnd> end;

  // Called as soon as this process knows that the run has failed, before it ends. `orphan`: the
  // run's directory if the lead has died and this process is to say so there; else empty.
  std::function<void(const absl::Status& reason, const std::string& orphan)> failed;
  Recorder::TraceSink timeline;  // in the lead: gets the events; elsewhere: anything, to have them
};

// Thread-safe. Must be the same for all workers of the process.
class Monitor {
 public:
  // `progress` and the sinks get everything in order of steps. Nothing is owned but the sinks.
  Monitor(const Plan* plan, Progress* progress, std::vector<std::unique_ptr<MetricSink>> sinks,
          MonitorOptions options = {});
  ~Monitor();

  // A worker of this process begins and ends. `comm` lives in between.
  void Attach(Communicator* comm);
  void Detach(Communicator* comm);

  // Before every step of every worker. False: the run ends before this step, for all workers.
  bool Enter(int worker, int64_t step);

  // After every step of every worker. A loss that is not finite ends the run.
  absl::Status Report(int worker, int64_t step, const StepReport& report);

  // Where the run writes and what it goes on from; elsewhere than in the lead waits until that has
  // said so. The group's reason if the run has failed meanwhile.
  absl::StatusOr<RunStart> Start();

  // Measurements of the whole world, reported by worker 0.
  absl::Status ReportConsensus(int64_t step, double distance);
  absl::Status ReportEvaluation(int64_t step, Split split, const Evaluation& evaluation);

  // For a checkpoint after `step` steps, in the lead, before worker 0 goes on: waits until all
  // workers have reported them and all records are on the disk; returns where those end, by sink.
  // The group's reason if the run has failed meanwhile.
  absl::StatusOr<std::map<std::string, std::string>> Settle(int64_t step);

  // In the lead, when settled: what metrics and totals go on with. Its steps are those of the last
  // epoch.
  absl::Status VisitState(StateVisitor* visitor);

  // Ends the run after the steps under way: all workers make the same number of steps.
  void RequestStop() { stop_.Request(StopReason::kRequested); }

  // Has the page about who waits for whom published, `reason` first; takes up to 2 s.
  void WriteHangReport(const std::string& reason) { hang_report_.Write(reason); }

  // Whether train.max_seconds ended the run: an end as planned, unlike a requested stop. The same
  // for all workers once Enter has returned false.
  bool out_of_time() const { return stop_.reason() == StopReason::kOutOfTime; }

  // The run's outcome as far as the monitor knows it.
  RunResult Result() const;

  // Once training has ended: records what the sinks have not got yet, and waits for the disk.
  absl::Status Flush();

 private:
  struct Window {  // steps since the last metric record
    double loss = 0, seconds = 0, lr = 0;
    double alive = 0;       // workers, summed over the steps
    PhaseSeconds phases{};  // mean over the workers
    int64_t steps = 0;

    absl::Status VisitState(StateVisitor* visitor);
  };

  bool leads() const { return options_.group == nullptr || options_.group->process() == 0; }
  void TellStart();
  void OnMessage(int from, const std::string& bytes);
  bool AllReported() const;                 // the first step that is not complete
  absl::Status CompleteStep(int64_t step);  // all workers have reported it
  absl::Status EmitWindow();                // and begins the next one
  MetricRecord Record(int64_t step) const;
  void NoteTime();  // with mutex_ held: what sim_seconds_ is now
  absl::Status Emit(const MetricRecord& record);
  int64_t BytesSent() const;                   // of all workers
  double ExamplesPerStep(double alive) const;  // of so many workers

  const Plan* plan_;
  Progress* progress_;
  std::vector<std::unique_ptr<MetricSink>> sinks_;
  const MonitorOptions options_;
  StopAgreement stop_;
  HangReport hang_report_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // complete_, start_, failed_ or remote_error_
  bool failed_ = false;              // the group
  std::optional<RunStart> start_;
  double start_seconds_;
  Clock* simulated_ = nullptr;                    // while workers live in virtual time
  bool time_only_ = false;                        // ... and compute nothing: there are no losses
  std::optional<double> sim_seconds_;             // when the last report came
  double earlier_sim_seconds_ = 0;                // of the parts that this run is resumed from
  std::vector<std::deque<StepReport>> reported_;  // by worker: steps from complete_ on
  int64_t complete_ = 0;                          // steps that all workers have reported
  std::vector<double> step_loss_;                 // mean over the workers; the last ones at least
  TimeLedger times_;
  Window window_, last_window_;
  double consensus_distance_ = 0;
  std::vector<int64_t> bytes_sent_;  // by worker
  int diverged_worker_ = -1;
  int64_t diverged_step_ = 0;
  double diverged_loss_ = 0;
  absl::Status remote_error_;  // of recording what another process has reported
};

}  // namespace starling

#endif  // EXPERIMENTS_MONITOR_H_
