// What one `starling sweep` does with a sweep: its stages, one after the other, and the tables.
#ifndef EXPERIMENTS_SWEEP_SESSION_H_
#define EXPERIMENTS_SWEEP_SESSION_H_

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/sweep/expansion.h"
#include "experiments/sweep/live_view.h"
#include "experiments/sweep/run_queue.h"
#include "experiments/sweep/sweep_directory.h"

namespace starling {

struct SessionOptions {
  std::string program;  // this one, which runs are started with
  std::string cpu;      // --cpu of every run
  int jobs = 0;         // runs at a time; 0: the launcher's choice
  bool resume = false, retry_failed = false, fail_fast = false;
  std::atomic<bool> stop{false};  // may be set from another thread
};

class SweepSession {
 public:
  // All outlive the session. `first` is ExpandSweep's of the definition.
  SweepSession(const SweepDefinition& definition, Expansion first, SweepDirectory directory,
               const SessionOptions& options, LiveView* view)
      : definition_(definition),
        first_(std::move(first)),
        directory_(std::move(directory)),
        options_(options),
        view_(view) {}

  const Sweep& sweep() const { return definition_.sweep; }
  const SweepDirectory& directory() const { return directory_; }
  const SessionOptions& options() const { return options_; }
  LiveView* view() { return view_; }
  int num_runs() const { return static_cast<int>(first_.runs.size()); }

  // `starling train` of a run, which goes on where an earlier part of it stopped.
  std::vector<std::string> TrainCommand(const SweepRun& run) const;

  // Runs everything on this machine, `jobs` at a time, each by `command`.
  absl::StatusOr<QueueEnd> Run(
      int jobs, const std::function<std::vector<std::string>(const SweepRun&, int cores)>& command);

  // Shows how far others are until `others_work` says that nobody works any more.
  absl::StatusOr<QueueEnd> Watch(const std::function<absl::StatusOr<bool>()>& others_work);

  // The expansion whose runs are the results; null while tuning decides which that are.
  absl::StatusOr<const Expansion*> Final();

  // Writes runs.csv, summary.csv and differences.csv of the final expansion, and tuning.csv of the
  // stage before it, if there is one.
  absl::Status WriteResults();

 private:
  bool tunes() const { return sweep().tune_size() > 0; }
  void WriteResultsNowAndThen();
  absl::StatusOr<const Expansion*> SecondStage();

  const SweepDefinition& definition_;
  const Expansion first_;
  const SweepDirectory directory_;
  const SessionOptions& options_;
  LiveView* const view_;
  std::vector<int> chosen_;  // which second_ was made of
  std::optional<Expansion> second_;
  double next_results_ = 0;  // when the tables may be written again
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_SESSION_H_
