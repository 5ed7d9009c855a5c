#include "experiments/sweep/run_queue.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/run/host.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/combination_label.h"
#include "experiments/launch.h"
#include "experiments/sweep/results.h"

namespace starling {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr double kSecondsToStop = 30;  // from asking a run to stop to killing it
constexpr double kShowSeconds = 0.5;
constexpr double kRungSeconds = 1;

std::vector<int> UsableCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  return cores;
}

std::string LastLine(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return "";
  const absl::string_view body = absl::StripTrailingAsciiWhitespace(*text);
  return std::string(body.substr(body.find_last_of("\r\n") + 1));
}

// How the run at `path` ended by its own account; kInterrupted: it did not.
RunState OwnAccount(const std::string& path) {
  const std::string status = RunDirectory::StatusAt(path);
  std::error_code error;
  if (!std::filesystem::exists(absl::StrCat(path, "/summary.json"), error)) {
    return RunState::kInterrupted;
  }
  if (status == RunStatusName(RunStatus::kDone)) return RunState::kDone;
  if (status == RunStatusName(RunStatus::kDiverged)) return RunState::kDiverged;
  return RunState::kInterrupted;
}

// Whether a process that nobody here has stopped was stopped by someone else, and may go on.
bool WasStoppedByOthers(int wait_status) {
  if (WIFEXITED(wait_status)) {
    const int code = WEXITSTATUS(wait_status);
    return code == kResumableExitCode || code == kCtrlCExitCode;
  }
  const int signal = WTERMSIG(wait_status);
  return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

}  // namespace

RunQueue::RunQueue(const Sweep& sweep, const SweepDirectory& directory, QueueOptions options,
                   LiveView* view)
    : sweep_(sweep),
      directory_(directory),
      options_(std::move(options)),
      view_(view),
      usable_cores_(UsableCores()) {
  cores_per_run_ = std::max(1, static_cast<int>(usable_cores_.size()) / options_.jobs);
}

absl::StatusOr<QueueEnd> RunQueue::Run(const Expansion& expansion) {
  expansion_ = &expansion;
  settled_.clear();
  for (const SweepRun& run : expansion.runs) {
    const auto outcome = directory_.ReadOutcome(run.id);
    RETURN_IF_ERROR(outcome.status());
    if (outcome->has_value() && (*outcome)->state == RunState::kFailed) {
      failed_before_[run.id] = (*outcome)->attempts;
    }
  }
  bool more = true;
  while (true) {
    RETURN_IF_ERROR(Reap());
    const bool stop = options_.stop != nullptr && *options_.stop;
    const bool give_up = options_.fail_fast && failures_ > 0;
    if (stop || give_up) {
      for (Running& running : running_) {
        if (running.kill_at == 0) AskToStop(&running, RunState::kInterrupted, "");
      }
      if (running_.empty()) return stop ? QueueEnd::kStopped : QueueEnd::kLeft;
    } else {
      if (static_cast<int>(running_.size()) < options_.jobs) {
        ASSIGN_OR_RETURN(more, StartMore());
      }
      if (running_.empty() && !more) break;
    }
    for (Running& running : running_) Watch(&running);
    Show();
    absl::SleepFor(kPoll);
  }
  for (const SweepRun& run : expansion.runs) {
    if (!IsFinished(directory_.StateOf(run.id))) return QueueEnd::kLeft;
  }
  return QueueEnd::kFinished;
}

bool RunQueue::MayStart(const SweepRun& run, RunState state) {
  if (tried_.count(run.id) > 0) return false;
  if (state == RunState::kPending) return true;
  if (state == RunState::kInterrupted) return options_.resume;
  if (state != RunState::kFailed || !options_.retry_failed) return false;
  // Not what another launcher has retried meanwhile.
  const auto outcome = directory_.ReadOutcome(run.id);
  const auto before = failed_before_.find(run.id);
  return outcome.ok() && outcome->has_value() && before != failed_before_.end() &&
         (*outcome)->attempts == before->second;
}

absl::StatusOr<bool> RunQueue::StartMore() {
  bool elsewhere = false;
  for (const SweepRun& run : expansion_->runs) {
    if (static_cast<int>(running_.size()) >= options_.jobs) return true;
    if (settled_.count(run.id) > 0) continue;
    const RunState state = directory_.StateOf(run.id);
    if (state == RunState::kRunning) {
      const auto own = [&](const Running& running) { return running.run == &run; };
      elsewhere |= std::none_of(running_.begin(), running_.end(), own);
      continue;
    }
    const bool ended_unrecorded = state == RunState::kInterrupted &&
                                  OwnAccount(directory_.RunPath(run.id)) != RunState::kInterrupted;
    if (!MayStart(run, state) && !ended_unrecorded) {
      Settle(run, state);
      continue;
    }
    ASSIGN_OR_RETURN(auto claim, directory_.Claim(run.id));
    if (claim == nullptr) {
      elsewhere = true;
      continue;
    }
    // Now nobody else changes it; but since it was looked at someone may have.
    ASSIGN_OR_RETURN(const auto outcome, directory_.ReadOutcome(run.id));
    if (outcome && !(outcome->state == RunState::kFailed && MayStart(run, outcome->state)))
      continue;
    ASSIGN_OR_RETURN(const bool recorded, RecordEnded(run));
    if (recorded) continue;
    RETURN_IF_ERROR(Start(run, std::move(claim), outcome ? outcome->attempts + 1 : 1));
  }
  return elsewhere || !running_.empty();
}

absl::StatusOr<bool> RunQueue::RecordEnded(const SweepRun& run) {
  const RunState state = OwnAccount(directory_.RunPath(run.id));
  if (state == RunState::kInterrupted) return false;
  RETURN_IF_ERROR(directory_.WriteOutcome(run.id, {state, "", 1}));
  return true;
}

absl::Status RunQueue::Start(const SweepRun& run, std::unique_ptr<FileLock> claim, int attempts) {
  RETURN_IF_ERROR(WriteFileAtomically(directory_.ConfigPath(run.id), PrintText(run.config)));
  std::error_code error;
  std::filesystem::remove(directory_.File(absl::StrCat("outcomes/", run.id, ".json")), error);
  Running running;
  running.run = &run;
  running.claim = std::move(claim);
  running.attempts = attempts;
  running.started = WallClock().NowSeconds();
  if (sweep_.early_stopping().has_min_steps()) {
    running.next_rung = sweep_.early_stopping().min_steps();
  }
  const std::vector<int> cores = TakeCores(&running.core_locks);
  ASSIGN_OR_RETURN(running.process, ChildProcess::Start(options_.command(run, cores_per_run_),
                                                        directory_.LogPath(run.id), cores));
  tried_.insert(run.id);
  running_.push_back(std::move(running));
  return absl::OkStatus();
}

std::vector<int> RunQueue::TakeCores(std::vector<std::unique_ptr<FileLock>>* locks) {
  std::vector<int> cores;
  for (int core : usable_cores_) {
    auto lock =
        FileLock::Try(directory_.File(absl::StrCat("claims/core-", core, "-of-", HostName())));
    if (!lock.ok() || *lock == nullptr) continue;
    locks->push_back(*std::move(lock));
    cores.push_back(core);
    if (static_cast<int>(cores.size()) == cores_per_run_) return cores;
  }
  locks->clear();
  return {};
}

void RunQueue::AskToStop(Running* running, RunState state, std::string reason) {
  running->end_state = state;
  running->end_reason = std::move(reason);
  running->kill_at = WallClock().NowSeconds() + kSecondsToStop;
  running->process->Signal(SIGTERM);
}

void RunQueue::Watch(Running* running) {
  const double now = WallClock().NowSeconds();
  if (running->kill_at > 0) {
    if (now > running->kill_at) running->process->Signal(SIGKILL);
    return;
  }
  if (sweep_.has_run_seconds() && now - running->started > sweep_.run_seconds()) {
    AskToStop(running, RunState::kFailed,
              absl::StrFormat("took longer than run_seconds, %g", sweep_.run_seconds()));
  } else if (running->next_rung > 0 && now - running->looked_at > kRungSeconds) {
    running->looked_at = now;
    StopEarly(running);
  }
}

void RunQueue::StopEarly(Running* running) {
  const EarlyStopping& rule = sweep_.early_stopping();
  const auto own =
      ReadMetricAt(directory_.RunPath(running->run->id), rule.metric(), running->next_rung);
  if (!own) return;
  const double sign = LargerIsBetter(rule.metric()) ? -1 : 1;
  int reached = 0, better = 0;
  for (const SweepRun& run : expansion_->runs) {
    const auto other = ReadMetricAt(directory_.RunPath(run.id), rule.metric(), running->next_rung);
    if (!other) continue;
    ++reached;
    // A value that is not a number is worse than all that are.
    better += sign * *other < sign * *own || (std::isnan(*own) && !std::isnan(*other));
  }
  const int64_t rung = running->next_rung;
  running->next_rung *= rule.reduction();
  if (better < std::max(1, reached / rule.reduction())) return;
  AskToStop(running, RunState::kStopped,
            absl::StrFormat("at step %d: %s %.5g, %d of %d runs were better", rung, rule.metric(),
                            *own, better, reached));
}

absl::Status RunQueue::Reap() {
  for (size_t i = 0; i < running_.size();) {
    const auto ended = running_[i].process->Poll();
    if (!ended) {
      ++i;
      continue;
    }
    Running running = std::move(running_[i]);
    running_.erase(running_.begin() + static_cast<int64_t>(i));
    RETURN_IF_ERROR(Ended(&running, *ended));
    running.claim.reset();
    if (options_.run_ended) options_.run_ended();
  }
  return absl::OkStatus();
}

absl::Status RunQueue::Ended(Running* running, int wait_status) {
  const SweepRun& run = *running->run;
  const std::string path = directory_.RunPath(run.id);
  const double seconds = WallClock().NowSeconds() - running->started;
  Outcome outcome{OwnAccount(path), "", running->attempts};
  if (outcome.state == RunState::kInterrupted) {
    outcome = {running->end_state, running->end_reason, running->attempts};
    if (running->kill_at == 0 && !WasStoppedByOthers(wait_status)) {
      outcome.state = RunState::kFailed;
      outcome.reason =
          absl::StrCat(EndText(wait_status), ": ", LastLine(directory_.LogPath(run.id)));
    }
  }
  if (outcome.state == RunState::kInterrupted) {
    view_->Line(absl::StrCat("interrupted  ", NameOf(run), ": ", EndText(wait_status),
                             "; --resume goes on with it"));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(directory_.WriteOutcome(run.id, outcome));
  Settle(run, outcome.state);
  std::string line = absl::StrFormat("%-11s  %s", RunStateName(outcome.state), NameOf(run));
  const auto metric = ReadMetric(path, sweep_.metric());
  if (outcome.state == RunState::kDone && metric) {
    absl::StrAppendFormat(&line, ": %s %.5g", sweep_.metric(), *metric);
  }
  absl::StrAppend(&line, ", ", DurationText(seconds));
  if (!outcome.reason.empty()) absl::StrAppend(&line, "\n  ", outcome.reason);
  if (outcome.state == RunState::kFailed) {
    ++failures_;
    absl::StrAppend(&line, "\n  its output: ", directory_.LogPath(run.id));
  } else {
    seconds_of_runs_ += seconds;
    ++timed_runs_;
  }
  view_->Line(line);
  return absl::OkStatus();
}

void RunQueue::Settle(const SweepRun& run, RunState state) {
  settled_[run.id] = state;
  if (state != RunState::kDone) return;
  const auto metric = ReadMetric(directory_.RunPath(run.id), sweep_.metric());
  if (!metric) return;
  const double sign = sweep_.larger_is_better() ? -1 : 1;
  if (best_metric_ && sign * *metric >= sign * *best_metric_) return;
  best_metric_ = metric;
  best_ = absl::StrFormat("%s %.5g (%s)", sweep_.metric(), *metric, NameOf(run));
}

void RunQueue::Show() {
  const double now = WallClock().NowSeconds();
  if (now - shown_at_ < kShowSeconds) return;
  shown_at_ = now;
  SweepProgress progress;
  progress.total = static_cast<int>(expansion_->runs.size());
  progress.running = static_cast<int>(running_.size());
  for (const auto& [id, state] : settled_) {
    progress.done += IsFinished(state);
    progress.failed += state == RunState::kFailed;
  }
  progress.best = best_;
  if (timed_runs_ > 0) {
    const int left = progress.total - progress.done - progress.failed;
    progress.seconds_left = seconds_of_runs_ / timed_runs_ * left / options_.jobs;
  }
  for (const Running& running : running_) {
    const std::string step = ReadProgress(directory_.RunPath(running.run->id));
    progress.runs.push_back(absl::StrCat(NameOf(*running.run), ": ", step, step.empty() ? "" : ", ",
                                         DurationText(now - running.started)));
  }
  view_->Show(progress);
}

std::string RunQueue::NameOf(const SweepRun& run) const {
  const std::string point =
      CombinationLabel(expansion_->columns, expansion_->combinations[run.combination].values);
  return absl::StrCat(point, point.empty() ? "" : ", ", "seed ", run.seed);
}

}  // namespace starling
