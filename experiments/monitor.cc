#include "experiments/monitor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status.h"

namespace starling {

Monitor::Monitor(const Plan* plan, Progress* progress,
                 std::vector<std::unique_ptr<MetricSink>> sinks)
    : plan_(plan),
      progress_(progress),
      sinks_(std::move(sinks)),
      start_seconds_(WallClock().NowSeconds()),
      entered_(plan->config.workers(), -1),
      reported_(plan->config.workers()) {}

bool Monitor::Enter(int worker, int64_t step) {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool out_of_time =
      plan_->config.train().has_max_seconds() &&
      WallClock().NowSeconds() - start_seconds_ >= plan_->config.train().max_seconds();
  if ((stop_requested_ || out_of_time || diverged_worker_ >= 0) && stop_step_ == INT64_MAX) {
    // Steps that some worker has begun are made by all: others wait for its messages, and it for
    // theirs.
    stop_step_ = *std::max_element(entered_.begin(), entered_.end()) + 1;
    out_of_time_ = !stop_requested_ && diverged_worker_ < 0;
  }
  if (step >= stop_step_) return false;
  entered_[worker] = step;
  return true;
}

absl::Status Monitor::Report(int worker, int64_t step, const StepReport& report) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!std::isfinite(report.loss) && diverged_worker_ < 0) {
    diverged_worker_ = worker;
    diverged_step_ = step;
    diverged_loss_ = report.loss;
  }
  reported_[worker].push_back(report);
  const auto behind = [](const std::deque<StepReport>& reports) { return reports.empty(); };
  while (std::none_of(reported_.begin(), reported_.end(), behind)) {
    RETURN_IF_ERROR(CompleteStep(complete_));
  }
  return absl::OkStatus();
}

absl::Status Monitor::CompleteStep(int64_t step) {
  double loss = 0, seconds = 0;
  int64_t bytes = 0;
  window_.lr = reported_[0].front().lr;
  for (auto& reports : reported_) {  // in rank order, so that the sum has the same bits always
    loss += reports.front().loss;
    seconds += reports.front().seconds;
    bytes += reports.front().bytes_sent;
    reports.pop_front();
  }
  const double workers = plan_->config.workers();
  loss /= workers;
  complete_ = step + 1;
  step_loss_.push_back(loss);
  bytes_sent_ = bytes;
  window_.loss += loss;
  window_.seconds += seconds / workers;
  ++window_.steps;

  // A window that has just begun says little; shown with the one before it, numbers are steady.
  const double steps = static_cast<double>(window_.steps + last_window_.steps);
  const double step_seconds = (window_.seconds + last_window_.seconds) / steps;
  progress_->Step({step + 1, plan_->steps, (window_.loss + last_window_.loss) / steps, window_.lr,
                   plan_->global_batch_size() / std::max(step_seconds, 1e-9), step_seconds * 1e3,
                   consensus_distance_});
  if (complete_ % plan_->config.train().log_every_steps() != 0 && complete_ != plan_->steps) {
    return absl::OkStatus();
  }
  return EmitWindow();
}

absl::Status Monitor::EmitWindow() {
  const double step_seconds = window_.seconds / window_.steps;
  MetricRecord record = Record(complete_);
  record.values = {
      {"train/loss", window_.loss / window_.steps},
      {"train/lr", window_.lr},
      {"time/step_ms", step_seconds * 1e3},
      {"time/samples_per_second", plan_->global_batch_size() / std::max(step_seconds, 1e-9)},
      {"comm/bytes_sent_per_worker", static_cast<double>(bytes_sent_) / plan_->config.workers()}};
  last_window_ = window_;
  window_ = Window();
  return Emit(record);
}

MetricRecord Monitor::Record(int64_t step) const {
  MetricRecord record;
  record.step = step;
  record.epoch = static_cast<double>(step) / static_cast<double>(plan_->steps_per_epoch);
  record.wall_seconds = WallClock().NowSeconds() - start_seconds_;
  return record;
}

absl::Status Monitor::Emit(const MetricRecord& record) {
  for (auto& sink : sinks_) RETURN_IF_ERROR(sink->Record(record));
  return absl::OkStatus();
}

absl::Status Monitor::ReportConsensus(int64_t step, double distance) {
  std::lock_guard<std::mutex> lock(mutex_);
  consensus_distance_ = distance;
  MetricRecord record = Record(step);
  record.values = {{"consensus/distance", distance}};
  return Emit(record);
}

absl::Status Monitor::ReportEvaluation(int64_t step, Split split, const Evaluation& evaluation) {
  std::lock_guard<std::mutex> lock(mutex_);
  progress_->Evaluated(step, split, evaluation, consensus_distance_);
  const std::string tag = split == Split::kTest ? "eval" : "validation";
  MetricRecord record = Record(step);
  record.values = {{tag + "/loss", evaluation.loss}};
  if (evaluation.accuracy) record.values.emplace_back(tag + "/accuracy", *evaluation.accuracy);
  RETURN_IF_ERROR(Emit(record));
  for (size_t worker = 0; worker < evaluation.worker_loss.size(); ++worker) {
    record.worker = static_cast<int>(worker);
    record.values = {{tag + "/loss", evaluation.worker_loss[worker]}};
    if (evaluation.accuracy) {
      record.values.emplace_back(tag + "/accuracy", evaluation.worker_accuracy[worker]);
    }
    RETURN_IF_ERROR(Emit(record));
  }
  return absl::OkStatus();
}

void Monitor::RequestStop() { stop_requested_ = true; }

bool Monitor::out_of_time() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return out_of_time_;
}

RunResult Monitor::Result() const {
  std::lock_guard<std::mutex> lock(mutex_);
  RunResult result;
  result.status = RunStatus::kDone;
  if (diverged_worker_ >= 0) {
    result.status = RunStatus::kDiverged;
    result.message =
        absl::StrCat("the loss of worker ", diverged_worker_, " became ",
                     std::isnan(diverged_loss_) ? "NaN" : "infinite", " in step ", diverged_step_,
                     "; a smaller learning rate, warm-up or gradient clipping may help");
  } else if (stop_requested_ && !out_of_time_ && complete_ < plan_->steps) {
    result.status = RunStatus::kInterrupted;
    result.message =
        absl::StrCat("stopped on request after ", complete_, " of ", plan_->steps, " steps");
  }
  result.steps = complete_;
  result.wall_seconds = WallClock().NowSeconds() - start_seconds_;
  result.consensus_distance = consensus_distance_;
  result.bytes_sent = bytes_sent_;
  const int64_t last = std::min<int64_t>(complete_, plan_->steps_per_epoch);
  for (int64_t step = complete_ - last; step < complete_; ++step) {
    result.train_loss += step_loss_[step];
  }
  result.train_loss /= std::max<int64_t>(last, 1);
  return result;
}

absl::Status Monitor::Flush() {
  std::lock_guard<std::mutex> lock(mutex_);
  // A run that was stopped ends anywhere between two records.
  if (window_.steps > 0) RETURN_IF_ERROR(EmitWindow());
  for (auto& sink : sinks_) RETURN_IF_ERROR(sink->Flush());
  return absl::OkStatus();
}

}  // namespace starling
