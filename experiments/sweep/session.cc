#include "experiments/sweep/session.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/run/file_io.h"
#include "core/status.h"
#include "experiments/sweep/results.h"

namespace starling {

std::vector<std::string> SweepSession::TrainCommand(const SweepRun& run) const {
  return {options_.program,
          "train",
          absl::StrCat("--config=", directory_.ConfigPath(run.id)),
          absl::StrCat("--run_dir=", directory_.RunPath(run.id)),
          "--resume",
          absl::StrCat("--cpu=", options_.cpu)};
}

absl::StatusOr<const Expansion*> SweepSession::SecondStage() {
  ASSIGN_OR_RETURN(const std::vector<int> chosen, ChooseTuned(definition_, directory_, first_));
  if (!second_ || chosen != chosen_) {
    ASSIGN_OR_RETURN(second_, ExpandChosen(definition_, first_, chosen));
    chosen_ = chosen;
  }
  return &*second_;
}

absl::StatusOr<QueueEnd> SweepSession::Run(
    int jobs, const std::function<std::vector<std::string>(const SweepRun&, int cores)>& command) {
  QueueOptions options;
  options.jobs = jobs;
  options.resume = options_.resume;
  options.retry_failed = options_.retry_failed;
  options.fail_fast = options_.fail_fast;
  options.command = command;
  options.stop = &options_.stop;
  options.run_ended = [this] { WriteResultsNowAndThen(); };
  RunQueue queue(sweep(), directory_, options, view_);
  ASSIGN_OR_RETURN(QueueEnd end, queue.Run(first_));
  if (!tunes() || end == QueueEnd::kStopped) return end;
  if (end == QueueEnd::kLeft && options_.fail_fast) return end;
  // Values that failed are values that were not chosen.
  ASSIGN_OR_RETURN(const Expansion* second, SecondStage());
  view_->Line("tuned; the best values run with all seeds");
  RunQueue seeds(sweep(), directory_, options, view_);
  ASSIGN_OR_RETURN(const QueueEnd second_end, seeds.Run(*second));
  return second_end == QueueEnd::kFinished ? end : second_end;
}

absl::StatusOr<QueueEnd> SweepSession::Watch(
    const std::function<absl::StatusOr<bool>()>& others_work) {
  while (!options_.stop) {
    ASSIGN_OR_RETURN(const bool working, others_work());
    ASSIGN_OR_RETURN(const Expansion* final, Final());
    SweepProgress progress;
    const std::vector<SweepRun>& runs = final == nullptr ? first_.runs : final->runs;
    progress.total = static_cast<int>(runs.size());
    for (const SweepRun& run : runs) {
      const RunState state = directory_.StateOf(run.id);
      progress.done += IsFinished(state);
      progress.failed += state == RunState::kFailed;
      progress.running += state == RunState::kRunning;
    }
    if (!working) {
      const bool finished = final != nullptr && progress.done == progress.total;
      return finished ? QueueEnd::kFinished : QueueEnd::kLeft;
    }
    view_->Show(progress);
    absl::SleepFor(absl::Seconds(1));
  }
  return QueueEnd::kStopped;
}

absl::StatusOr<const Expansion*> SweepSession::Final() {
  if (!tunes()) return &first_;
  for (const SweepRun& run : first_.runs) {
    const RunState state = directory_.StateOf(run.id);
    if (!IsFinished(state) && state != RunState::kFailed) return nullptr;
  }
  return SecondStage();
}

void SweepSession::WriteResultsNowAndThen() {
  // Every table is made of all runs, so of many runs they would take most of the time.
  const double start = WallClock().NowSeconds();
  if (start < next_results_) return;
  (void)WriteResults();  // What cannot be written now is an error at the end.
  const double end = WallClock().NowSeconds();
  next_results_ = end + 20 * (end - start);
}

absl::Status SweepSession::WriteResults() {
  const auto write = [&](const char* name, const std::string& text) {
    return WriteFileAtomically(directory_.File(name), text, Until::kVisible);
  };
  if (tunes()) {
    const auto rows = ReadResults(directory_, first_, sweep().tune_metric());
    RETURN_IF_ERROR(write("tuning.csv", RunsCsv(first_, rows)));
  }
  ASSIGN_OR_RETURN(const Expansion* final, Final());
  if (final == nullptr) return absl::OkStatus();
  const auto rows = ReadResults(directory_, *final, sweep().metric());
  RETURN_IF_ERROR(write("runs.csv", RunsCsv(*final, rows)));
  RETURN_IF_ERROR(write("summary.csv", SummaryCsv(sweep(), *final, rows)));
  return write("differences.csv", DifferencesCsv(sweep(), *final, rows));
}

}  // namespace starling
