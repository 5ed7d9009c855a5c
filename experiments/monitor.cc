#include "experiments/monitor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "comm/simulation.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/status.h"

namespace starling {

namespace {

constexpr char kSimSeconds[] = "time/sim_seconds";

}  // namespace

Monitor::Monitor(const Plan* plan, Progress* progress,
                 std::vector<std::unique_ptr<MetricSink>> sinks, MonitorOptions options)
    : plan_(plan),
      progress_(progress),
      sinks_(std::move(sinks)),
      options_(std::move(options)),
      stop_(options_.group, plan->config.workers(), options_.end),
      hang_report_(options_.group, options_.publish_page),
      start_seconds_(WallClock().NowSeconds()),
      reported_(plan->config.workers()),
      times_(plan->config.workers()),
      bytes_sent_(plan->config.workers()) {
  if (leads()) start_ = options_.start;
  if (options_.group == nullptr) return;
  options_.group->Listen([this](int from, const std::string& bytes) { OnMessage(from, bytes); });
  TellStart();
  options_.group->WatchFailure([this] {
    if (options_.failed) {
      const bool speaks = options_.group->process() == 1 && options_.group->lead_is_lost();
      std::lock_guard<std::mutex> lock(mutex_);
      options_.failed(options_.group->reason(), speaks && start_ ? start_->run_directory : "");
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      failed_ = true;
    }
    changed_.notify_all();
    stop_.Release();
  });
}

void Monitor::TellStart() {
  if (options_.group == nullptr || !leads()) return;
  RunMessage message;
  message.mutable_start()->set_run_directory(start_->run_directory);
  message.mutable_start()->set_source(start_->source);
  message.mutable_start()->set_step(start_->step);
  options_.group->TellAll(message.SerializeAsString());
}

Monitor::~Monitor() {
  if (options_.group == nullptr) return;
  options_.group->Listen(nullptr);
  options_.group->WatchFailure(nullptr);
}

void Monitor::Attach(Communicator* comm) {
  hang_report_.Attach(comm->rank(), &comm->recorder());
  const bool simulated = comm->simulation() != nullptr;
  if (simulated) {
    std::lock_guard<std::mutex> lock(mutex_);
    simulated_ = &comm->clock();
    time_only_ = comm->simulation()->time_only();
    NoteTime();
  }
  if (!options_.timeline) return;
  // Machines agree on the time of day, if on any.
  const double offset = simulated ? 0
                                  : absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()) -
                                        comm->clock().NowSeconds();
  if (leads()) return comm->recorder().set_trace(options_.timeline, offset);
  comm->recorder().set_trace(
      [group = options_.group](std::string events) {
        RunMessage message;
        message.set_trace(std::move(events));
        group->Tell(0, message.SerializeAsString());
      },
      offset);
}

void Monitor::Detach(Communicator* comm) {
  hang_report_.Detach(comm->rank());
  comm->recorder().set_trace(nullptr);
  const WorkerTotals totals{comm->recorder().bytes_by_destination(),
                            comm->recorder().communication_seconds()};
  if (leads()) {
    std::lock_guard<std::mutex> lock(mutex_);
    simulated_ = nullptr;
    return times_.SetTotals(comm->rank(), totals);
  }
  RunMessage message;
  message.mutable_totals()->set_worker(comm->rank());
  message.mutable_totals()->set_communication_seconds(totals.communication_seconds);
  for (int64_t bytes : totals.bytes_by_destination) {
    message.mutable_totals()->add_bytes_by_destination(bytes);
  }
  options_.group->Tell(0, message.SerializeAsString());
}

void Monitor::OnMessage(int from, const std::string& bytes) {
  RunMessage message;
  if (!message.ParseFromString(bytes)) return;
  switch (message.kind_case()) {
    case RunMessage::kStep: {
      const absl::Status status =
          Report(message.step().worker(), message.step().step(), Decode(message.step()));
      std::lock_guard<std::mutex> lock(mutex_);
      remote_error_.Update(status);
      changed_.notify_all();
      return;
    }
    case RunMessage::kTotals: {
      const auto& bytes = message.totals().bytes_by_destination();
      std::lock_guard<std::mutex> lock(mutex_);
      return times_.SetTotals(
          message.totals().worker(),
          {{bytes.begin(), bytes.end()}, message.totals().communication_seconds()});
    }
    case RunMessage::kStart: {
      const RunMessage::Start& start = message.start();
      std::lock_guard<std::mutex> lock(mutex_);
      start_ = RunStart{start.run_directory(), start.source(), start.step()};
      changed_.notify_all();
      return;
    }
    case RunMessage::kTrace:
      if (options_.timeline) options_.timeline(message.trace());
      return;
    default:
      stop_.OnMessage(from, message);
      hang_report_.OnMessage(from, message);
  }
}

absl::StatusOr<RunStart> Monitor::Start() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return start_.has_value() || failed_; });
  if (start_) return *start_;
  return options_.group->reason();
}

bool Monitor::Enter(int worker, int64_t step) {
  bool out_of_time = false;
  if (leads() && plan_->config.train().has_max_seconds() && !options_.end) {
    std::lock_guard<std::mutex> lock(mutex_);
    const double seconds = sim_seconds_.value_or(WallClock().NowSeconds() - start_seconds_);
    out_of_time = seconds >= plan_->config.train().max_seconds();
  }
  if (out_of_time) stop_.Request(StopReason::kOutOfTime);
  return stop_.Enter(worker, step);
}

absl::Status Monitor::Report(int worker, int64_t step, const StepReport& report) {
  if (!leads()) {
    RunMessage message;
    *message.mutable_step() = Encode(worker, step, report);
    options_.group->Tell(0, message.SerializeAsString());
    return absl::OkStatus();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  NoteTime();
  const bool diverged = !std::isfinite(report.loss) && diverged_worker_ < 0;
  if (diverged) {
    diverged_worker_ = worker;
    diverged_step_ = step;
    diverged_loss_ = report.loss;
  }
  reported_[worker].push_back(report);
  absl::Status status = remote_error_;
  while (status.ok() && AllReported()) status = CompleteStep(complete_);
  lock.unlock();
  if (diverged && !options_.end) stop_.Request(StopReason::kDiverged);
  return status;
}

bool Monitor::AllReported() const {
  const std::vector<int> living = EraOf(plan_->eras, complete_).membership.living();
  return std::none_of(living.begin(), living.end(),
                      [this](int worker) { return reported_[worker].empty(); });
}

absl::Status Monitor::CompleteStep(int64_t step) {
  double loss = 0, seconds = 0;
  const std::vector<int> living = EraOf(plan_->eras, step).membership.living();
  const auto workers = static_cast<double>(living.size());
  window_.lr = reported_[0].front().lr;
  window_.alive += workers;
  // In rank order, so that the sum has the same bits always.
  for (const int worker : living) {
    const StepReport& report = reported_[worker].front();
    loss += report.loss;
    seconds += report.seconds;
    bytes_sent_[worker] = report.bytes_sent;
    times_.AddStep(worker, report.phase_seconds);
    for (int phase = 0; phase < kPhases; ++phase) {
      window_.phases[phase] += report.phase_seconds[phase] / workers;
    }
    if (!report.digests.empty() && options_.digests != nullptr) {
      RETURN_IF_ERROR(options_.digests->Record(step + 1, worker, report.digests));
    }
    reported_[worker].pop_front();
  }
  loss /= workers;
  times_.EndStep(seconds / workers);
  complete_ = step + 1;
  changed_.notify_all();
  step_loss_.push_back(loss);
  window_.loss += loss;
  window_.seconds += seconds / workers;
  ++window_.steps;

  // A window that has just begun says little; shown with the one before it, numbers are steady.
  const double steps = static_cast<double>(window_.steps + last_window_.steps);
  const double step_seconds = (window_.seconds + last_window_.seconds) / steps;
  const double alive = (window_.alive + last_window_.alive) / steps;
  constexpr int kWait = static_cast<int>(Phase::kWait);
  std::optional<double> shown_loss;
  if (!time_only_) shown_loss = (window_.loss + last_window_.loss) / steps;
  progress_->Step({step + 1, plan_->steps, shown_loss, window_.lr,
                   ExamplesPerStep(alive) / std::max(step_seconds, 1e-9), step_seconds * 1e3,
                   (window_.phases[kWait] + last_window_.phases[kWait]) / steps * 1e3,
                   consensus_distance_});
  if (complete_ % plan_->config.train().log_every_steps() != 0 && complete_ != plan_->steps) {
    return absl::OkStatus();
  }
  return EmitWindow();
}

absl::Status Monitor::EmitWindow() {
  const double step_seconds = window_.seconds / window_.steps;
  const double alive = window_.alive / window_.steps;
  MetricRecord record = Record(complete_);
  if (!time_only_) {
    record.values = {{"train/loss", window_.loss / window_.steps}, {"train/lr", window_.lr}};
  }
  record.values.insert(
      record.values.end(),
      {{"time/step_ms", step_seconds * 1e3},
       {"time/samples_per_second", ExamplesPerStep(alive) / std::max(step_seconds, 1e-9)},
       {"comm/bytes_sent_per_worker", static_cast<double>(BytesSent()) / plan_->config.workers()}});
  for (Phase phase :
       {Phase::kData, Phase::kForward, Phase::kBackward, Phase::kUpdate, Phase::kWait}) {
    record.values.emplace_back(absl::StrCat("time/", PhaseName(phase), "_ms"),
                               window_.phases[static_cast<int>(phase)] / window_.steps * 1e3);
  }
  if (sim_seconds_) record.values.emplace_back(kSimSeconds, *sim_seconds_);
  if (plan_->eras.size() > 1) record.values.emplace_back("train/alive", alive);
  last_window_ = window_;
  window_ = Window();
  return Emit(record);
}

int64_t Monitor::BytesSent() const {
  return std::accumulate(bytes_sent_.begin(), bytes_sent_.end(), int64_t{0});
}

double Monitor::ExamplesPerStep(double alive) const {
  return plan_->examples_per_step() * alive / plan_->config.workers();
}

MetricRecord Monitor::Record(int64_t step) const {
  MetricRecord record;
  record.step = step;
  record.epoch = static_cast<double>(step) / static_cast<double>(plan_->steps_per_epoch);
  record.wall_seconds = WallClock().NowSeconds() - start_seconds_;
  return record;
}

void Monitor::NoteTime() {
  if (simulated_ != nullptr) sim_seconds_ = earlier_sim_seconds_ + simulated_->NowSeconds();
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
  if (sim_seconds_) record.values.emplace_back(kSimSeconds, *sim_seconds_);
  return Emit(record);
}

absl::Status Monitor::ReportEvaluation(int64_t step, Split split, const Evaluation& evaluation) {
  std::lock_guard<std::mutex> lock(mutex_);
  progress_->Evaluated(step, split, evaluation, consensus_distance_);
  const std::string tag = split == Split::kTest ? "eval" : "validation";
  MetricRecord record = Record(step);
  record.values = {{tag + "/loss", evaluation.loss}};
  if (evaluation.accuracy) record.values.emplace_back(tag + "/accuracy", *evaluation.accuracy);
  if (evaluation.perplexity)
    record.values.emplace_back(tag + "/perplexity", *evaluation.perplexity);
  if (evaluation.bleu) record.values.emplace_back(tag + "/bleu", *evaluation.bleu);
  if (sim_seconds_) record.values.emplace_back(kSimSeconds, *sim_seconds_);
  RETURN_IF_ERROR(Emit(record));
  const std::vector<int> living = EraOf(plan_->eras, step - 1).membership.living();
  for (size_t worker = 0; worker < evaluation.worker_loss.size(); ++worker) {
    record.worker = living[worker];
    record.values = {{tag + "/loss", evaluation.worker_loss[worker]}};
    if (evaluation.accuracy) {
      record.values.emplace_back(tag + "/accuracy", evaluation.worker_accuracy[worker]);
    }
    if (evaluation.perplexity) {
      record.values.emplace_back(tag + "/perplexity", std::exp(evaluation.worker_loss[worker]));
    }
    RETURN_IF_ERROR(Emit(record));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, std::string>> Monitor::Settle(int64_t step) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return complete_ >= step || failed_ || !remote_error_.ok(); });
  RETURN_IF_ERROR(remote_error_);
  if (complete_ < step) return options_.group->reason();
  std::map<std::string, std::string> positions;
  const auto& names = plan_->config.metric_sink();
  for (size_t i = 0; i < sinks_.size(); ++i) {
    RETURN_IF_ERROR(sinks_[i]->Flush());
    if (static_cast<int>(i) < names.size()) {
      positions[names[static_cast<int>(i)].name()] = sinks_[i]->position();
    }
  }
  if (options_.digests != nullptr) {
    RETURN_IF_ERROR(options_.digests->Flush());
    positions[kDigestTrailFile] = options_.digests->position();
  }
  return positions;
}

absl::Status Monitor::Window::VisitState(StateVisitor* visitor) {
  for (auto [name, number] :
       {std::pair("loss", &loss), {"seconds", &seconds}, {"lr", &lr}, {"alive", &alive}}) {
    RETURN_IF_ERROR(visitor->Visit(name, AsBuffer(absl::MakeSpan(number, 1))));
  }
  RETURN_IF_ERROR(visitor->Visit("phase_seconds", AsBuffer(absl::MakeSpan(phases))));
  return visitor->Visit("steps", AsBuffer(absl::MakeSpan(&steps, 1)));
}

absl::Status Monitor::VisitState(StateVisitor* visitor) {
  std::lock_guard<std::mutex> lock(mutex_);
  const double now = WallClock().NowSeconds();
  double wall_seconds = now - start_seconds_;
  const auto size = static_cast<int64_t>(step_loss_.size());
  step_loss_.erase(step_loss_.begin(),
                   step_loss_.begin() + std::max<int64_t>(0, size - plan_->steps_per_epoch));
  RETURN_IF_ERROR(visitor->Visit("steps", AsBuffer(absl::MakeSpan(&complete_, 1))));
  RETURN_IF_ERROR(VisitVector("step_loss", &step_loss_, visitor));
  RETURN_IF_ERROR(times_.VisitState(visitor));
  PrefixVisitor window("window/", visitor), last_window("last_window/", visitor);
  RETURN_IF_ERROR(window_.VisitState(&window));
  RETURN_IF_ERROR(last_window_.VisitState(&last_window));
  RETURN_IF_ERROR(visitor->Visit("bytes_sent", AsBuffer(absl::MakeSpan(bytes_sent_))));
  double sim_seconds = sim_seconds_.value_or(0);
  for (auto [name, number] :
       {std::pair("consensus_distance", &consensus_distance_),
        std::pair("wall_seconds", &wall_seconds), std::pair("sim_seconds", &sim_seconds)}) {
    RETURN_IF_ERROR(visitor->Visit(name, AsBuffer(absl::MakeSpan(number, 1))));
  }
  start_seconds_ = now - wall_seconds;
  if (simulated_ == nullptr) earlier_sim_seconds_ = sim_seconds;
  return absl::OkStatus();
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
  } else if (stop_.reason() == StopReason::kRequested && complete_ < plan_->steps) {
    result.status = RunStatus::kInterrupted;
    result.message =
        absl::StrCat("stopped on request after ", complete_, " of ", plan_->steps, " steps");
  }
  result.steps = complete_;
  result.wall_seconds = WallClock().NowSeconds() - start_seconds_;
  // Rounded to ns: what is below depends on what the process has simulated before.
  if (sim_seconds_) result.sim_seconds = std::round(*sim_seconds_ * 1e9) / 1e9;
  result.consensus_distance = consensus_distance_;
  result.bytes_sent = BytesSent();
  result.time = times_.Split();
  const auto size = static_cast<int64_t>(step_loss_.size());
  const int64_t last = std::min(size, plan_->steps_per_epoch);
  for (int64_t i = size - last; i < size; ++i) result.train_loss += step_loss_[i];
  result.train_loss = time_only_ ? NAN : result.train_loss / std::max<int64_t>(last, 1);
  return result;
}

absl::Status Monitor::Flush() {
  std::lock_guard<std::mutex> lock(mutex_);
  // A run that was stopped ends anywhere between two records.
  if (window_.steps > 0) RETURN_IF_ERROR(EmitWindow());
  for (auto& sink : sinks_) RETURN_IF_ERROR(sink->Flush());
  if (options_.digests != nullptr) RETURN_IF_ERROR(options_.digests->Flush());
  return remote_error_;
}

}  // namespace starling
