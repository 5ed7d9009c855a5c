#include "experiments/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/device/host_state.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/state.h"
#include "core/status.h"
#include "optim/membership.h"

namespace starling {
namespace {

constexpr uint16_t kReturnStream = 0xfffd;

// Streams of a step's micro-batches differ in their step number's high bits.
int64_t DrawOf(int64_t step, int part) { return step | static_cast<int64_t>(part) << 48; }

}  // namespace

Trainer::Trainer(const Plan* plan, Communicator* comm, Monitor* monitor)
    : plan_(plan), comm_(comm), monitor_(monitor) {}

absl::StatusOr<int64_t> Trainer::Start() {
  const Experiment& config = plan_->config;
  ASSIGN_OR_RETURN(parts_, MakeWorkerParts(*plan_, comm_));
  const Layout& layout = parts_.model->layout();
  ASSIGN_OR_RETURN(x_, comm_->Allocate(layout.size, plan_->dtype));
  ASSIGN_OR_RETURN(g_, comm_->Allocate(layout.size, plan_->dtype));
  numeric_ = x_.place != Place::kVirtual;
  if (config.train().micro_batches() > 1) {
    ASSIGN_OR_RETURN(micro_sum_, comm_->Allocate(layout.size, plan_->dtype));
  }

  worker_ = WorkerOf(*plan_, comm_);
  worker_.optimizer = parts_.optimizer.get();
  worker_.layout = &layout;

  // The same starting values everywhere: worker 0's stream.
  RETURN_IF_ERROR(
      parts_.model->Initialize(StreamKey(config.seed(), Purpose::kInitialization, 0, 0), x_));
  RETURN_IF_ERROR(parts_.model->Bind(x_, g_));
  parts_.model->set_forward_done([this] { comm_->recorder().Enter(Phase::kBackward); });
  RETURN_IF_ERROR(parts_.algorithm->Start(worker_, x_, g_));
  if (numeric_ && config.train().autocast() == Train::F16) {
    ASSIGN_OR_RETURN(loss_scale_, LossScale::Create(comm_, plan_->dtype, worker_.mixing.deadline));
  }
  lr_ = parts_.optimizer->lr();
  for (auto& losses : losses_) losses.resize(config.train().micro_batches());
  if (config.train().grad_clip_norm() > 0 && numeric_) {
    std::vector<Range> ranges = {{0, g_.count}};
    if (config.train().grad_clip_per() == Train::BUCKET) ranges = layout.buckets;
    for (const Range& range : ranges) {
      ASSIGN_OR_RETURN(auto clip, ops::NormClip::Create(layout, range, x_.place));
      clips_.push_back(std::move(clip));
    }
  }
  if (numeric_) {
    sampler_ = MakeSampler(*plan_, comm_->rank());
    const auto read = [this](int64_t step, int part, Batch* batch) {
      return ReadBatch(step, part, batch);
    };
    ASSIGN_OR_RETURN(
        loader_, BatchLoader::Create(read, config.train().micro_batches(), plan_->steps, x_.place));
  }
  ASSIGN_OR_RETURN(
      evaluator_,
      Evaluator::Create(comm_, plan_->dataset.get(), parts_.model.get(), parts_.algorithm.get(), x_,
                        worker_.mixing.deadline, config.train().average_statistics()));
  checkpointer_ =
      std::make_unique<Checkpointer>(plan_, comm_, evaluator_.get(), monitor_, &layout,
                                     [this](StateVisitor* visitor) { return VisitState(visitor); });
  RETURN_IF_ERROR(CheckLayouts());
  ASSIGN_OR_RETURN(const RunStart start, monitor_->Start());
  if (!TakesPart(start.step - 1)) return checkpointer_->Restore(/*away=*/true);
  const Membership& membership = EraOf(plan_->eras, start.step - 1).membership;
  if (membership.epoch > 0) {
    RETURN_IF_ERROR(parts_.algorithm->OnMembership(membership));
    evaluator_->SetMembers(membership.living());
  }
  return checkpointer_->Restore();
}

absl::Status Trainer::CheckLayouts() {
  const Layout& layout = *worker_.layout;
  // A number that doubles hold exactly, for what one tensor is and where it lies.
  const auto digest = [&](int64_t tensor) {
    if (tensor >= static_cast<int64_t>(layout.tensors.size())) return 0.0;
    const TensorInfo& info = layout.tensors[tensor];
    int bucket = 0;
    while (info.offset >= layout.buckets[bucket].offset + layout.buckets[bucket].count) ++bucket;
    uint64_t hash = StreamKey(info.offset, Purpose::kInitialization, bucket, info.count);
    for (const char c : info.name) hash = StreamKey(hash, Purpose::kInitialization, c, 0);
    return static_cast<double>(hash >> 12);
  };
  double all = 0;
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    all = static_cast<double>(StreamKey(static_cast<uint64_t>(all), Purpose::kInitialization, 0,
                                        static_cast<int64_t>(digest(static_cast<int64_t>(i)))) >>
                              12);
  }
  // Who differs from worker 0; -1: nobody.
  const auto odd = [&](double own) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const auto values, evaluator_->Gather(own));
    const auto other = std::find_if(values.begin(), values.end(),
                                    [&](double value) { return value != values[0]; });
    return other == values.end() ? -1 : static_cast<int>(other - values.begin());
  };
  ASSIGN_OR_RETURN(int worker, odd(all));
  if (worker < 0) return absl::OkStatus();
  for (int64_t tensor = 0;; ++tensor) {
    ASSIGN_OR_RETURN(worker, odd(digest(tensor)));
    if (worker < 0) continue;  // this one is equal; another is not
    const bool has = tensor < static_cast<int64_t>(layout.tensors.size());
    return absl::FailedPreconditionError(absl::StrCat(
        "the workers' models differ: parameter ", tensor, " in backward order of worker ", worker,
        " is not that of worker 0; here it is ",
        has ? absl::StrCat("\"", layout.tensors[tensor].name, "\" with ",
                           layout.tensors[tensor].count, " elements")
            : "none"));
  }
}

absl::Status Trainer::ReadBatch(int64_t step, int part, Batch* batch) {
  const absl::Span<const int64_t> ids = sampler_->Next(step);
  const size_t size = ids.size() / plan_->config.train().micro_batches();
  return plan_->dataset->Read(Split::kTrain, ids.subspan(part * size, size),
                              worker_.stream(Purpose::kAugmentation, DrawOf(step, part)), batch);
}

absl::Status Trainer::Gradient(const StepInfo& info) {
  const Train& train = plan_->config.train();
  const int parts = train.micro_batches();
  const bool clips = !clips_.empty();
  const bool clips_buckets = clips && train.grad_clip_per() == Train::BUCKET;
  const Batch none;
  const auto ignore = [](int) { return absl::OkStatus(); };
  const auto ready = [&](int bucket) -> absl::Status {
    const Range& range = worker_.layout->buckets[bucket];
    const Buffer g = g_.Slice(range.offset, range.count);
    if (parts > 1) ops::Add(micro_sum_.Slice(range.offset, range.count), g);
    if (loss_scale_ != nullptr) loss_scale_->Unscale(g);
    if (parts > 1) ops::Scale(1.0 / parts, g);
    if (clips_buckets) clips_[bucket]->Run(train.grad_clip_norm(), g_);
    // The norm of all is known only after the last bucket, so clipping by it hands over later.
    if (clips && !clips_buckets) return absl::OkStatus();
    const Phase before = comm_->recorder().Enter(Phase::kUpdate);
    const absl::Status status = parts_.algorithm->OnBucketReady(info, bucket);
    comm_->recorder().Enter(before);
    return status;
  };
  if (parts > 1) ops::Zero(micro_sum_);
  if (loss_scale_ != nullptr) parts_.model->set_loss_scale(loss_scale_->value());
  for (int part = 0; part < parts; ++part) {
    const Batch* batch = &none;
    comm_->recorder().Enter(Phase::kData);
    if (numeric_) {
      ASSIGN_OR_RETURN(batch, loader_->Next(info.step, part));
    }
    const bool last = part == parts - 1;
    comm_->recorder().Enter(Phase::kForward);
    ASSIGN_OR_RETURN(const StepResult result,
                     parts_.model->ForwardBackward(
                         *batch, worker_.stream(Purpose::kDropout, DrawOf(info.step, part)),
                         last ? BucketReady(ready) : BucketReady(ignore)));
    if (!last) ops::Add(g_, micro_sum_);
    RETURN_IF_ERROR(losses_[info.step % 2][part].Take(result.loss));
  }
  comm_->recorder().Enter(Phase::kUpdate);
  if (clips && !clips_buckets) {
    clips_[0]->Run(train.grad_clip_norm(), g_);
    for (int b = 0; b < static_cast<int>(worker_.layout->buckets.size()); ++b) {
      RETURN_IF_ERROR(parts_.algorithm->OnBucketReady(info, b));
    }
  }
  if (loss_scale_ != nullptr) {
    const std::vector<int> workers = EraOf(plan_->eras, info.step).membership.living();
    RETURN_IF_ERROR(loss_scale_->EndStep(info.step, workers));
  }
  return absl::OkStatus();
}

bool Trainer::TakesPart(int64_t step) const {
  return EraOf(plan_->eras, step).membership.alive[worker_.id];
}

absl::Status Trainer::ChangeMembers(int64_t step) {
  if (!ChangesAt(plan_->eras, step)) return absl::OkStatus();
  const Membership& before = EraOf(plan_->eras, step - 1).membership;
  const Membership& after = EraOf(plan_->eras, step).membership;
  if (loss_scale_ != nullptr) RETURN_IF_ERROR(loss_scale_->Quiesce());
  for (int worker : after.living()) {
    if (!before.alive[worker]) RETURN_IF_ERROR(TellAway(worker, step, /*comes=*/true));
  }
  RETURN_IF_ERROR(ChangeMembership(before, after, worker_, parts_.algorithm.get(), x_, g_,
                                   [this](StateVisitor* visitor) -> absl::Status {
                                     RETURN_IF_ERROR(parts_.model->VisitState(visitor));
                                     return loss_scale_ == nullptr
                                                ? absl::OkStatus()
                                                : loss_scale_->VisitState(visitor);
                                   }));
  if (after.alive[worker_.id]) evaluator_->SetMembers(after.living());
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Trainer::AwaitReturn(int64_t step) {
  const int64_t return_step = ReturnOf(plan_->eras, worker_.id, step);
  if (return_step < 0 || return_step >= plan_->steps) return -1;
  int64_t comes = 0;
  ExchangeOptions options;  // as long as it takes
  options.traffic = Traffic::kMeasurement;
  const Receive receive{0, {kReturnStream, return_step, 0, 0}, AsBuffer(absl::MakeSpan(&comes, 1))};
  ASSIGN_OR_RETURN(auto work, comm_->Exchange({}, {receive}, options));
  RETURN_IF_ERROR(work->Wait());
  return comes ? return_step : -1;
}

absl::Status Trainer::TellAway(int worker, int64_t return_step, bool comes) {
  if (worker_.id != 0) return absl::OkStatus();
  int64_t word = comes;
  ExchangeOptions options;
  options.traffic = Traffic::kMeasurement;
  options.deadline = worker_.mixing.deadline;
  const Send send{worker, {kReturnStream, return_step, 0, 0}, AsBuffer(absl::MakeSpan(&word, 1))};
  ASSIGN_OR_RETURN(auto work, comm_->Exchange({send}, {}, options));
  return work->Wait();
}

absl::Status Trainer::TellAllAway(int64_t step) {
  for (int worker = 1; worker < comm_->size(); ++worker) {
    if (EraOf(plan_->eras, step - 1).membership.alive[worker]) continue;
    const int64_t return_step = ReturnOf(plan_->eras, worker, step);
    if (return_step < 0 || return_step >= plan_->steps) continue;
    RETURN_IF_ERROR(TellAway(worker, return_step, /*comes=*/false));
  }
  return absl::OkStatus();
}

void Trainer::Pause(int64_t step) {
  Clock& clock = comm_->clock();
  for (const Faults::Pause& pause : plan_->config.faults().pause()) {
    if (pause.worker() != worker_.id || pause.at_step() != step) continue;
    clock.SleepUntil(clock.NowSeconds() + pause.seconds());
  }
}

absl::Status Trainer::Step(int64_t step) {
  const double begin = comm_->clock().NowSeconds();
  const StepInfo info = StepInfoOf(*plan_, step, plan_->steps, lr_);
  StepReport report;
  Recorder& recorder = comm_->recorder();
  recorder.BeginStep(step);
  recorder.Enter(Phase::kUpdate);
  RETURN_IF_ERROR(parts_.algorithm->OnStepBegin(info));
  RETURN_IF_ERROR(Gradient(info));
  RETURN_IF_ERROR(parts_.algorithm->OnStepEnd(info));
  if (unreported_) {
    recorder.Enter(Phase::kBackward);  // the host waits for the card, which computes
    RETURN_IF_ERROR(ReportLastStep());
  }
  recorder.Enter(Phase::kOutside);
  report.lr = info.lr;
  report.seconds = comm_->clock().NowSeconds() - begin;
  report.bytes_sent = comm_->bytes_sent(Traffic::kTraining);
  report.phase_seconds = recorder.step_seconds();
  ASSIGN_OR_RETURN(report.digests, DigestsOf(step + 1));
  unreported_ = Unreported{step, std::move(report)};
  return x_.place == Place::kDevice ? absl::OkStatus() : ReportLastStep();
}

absl::Status Trainer::ReportLastStep() {
  if (!unreported_) return absl::OkStatus();
  auto& [step, report] = *unreported_;
  const auto& losses = losses_[step % 2];
  for (const DeferredNumber& loss : losses) {
    ASSIGN_OR_RETURN(const double value, loss.Read());
    report.loss += value / static_cast<double>(losses.size());
  }
  diverged_ = diverged_ || !std::isfinite(report.loss);
  const absl::Status status = monitor_->Report(worker_.id, step, report);
  unreported_.reset();
  return status;
}

absl::Status Trainer::Measure(int64_t steps_done) {
  RETURN_IF_ERROR(ReportLastStep());
  RETURN_IF_ERROR(parts_.algorithm->Quiesce());  // what is on its way belongs to nobody's estimate
  RETURN_IF_ERROR(evaluator_->UpdateAverage());
  ASSIGN_OR_RETURN(const double distance, evaluator_->ConsensusDistance());
  return worker_.id == 0 ? monitor_->ReportConsensus(steps_done, distance) : absl::OkStatus();
}

absl::Status Trainer::Evaluate(int64_t steps_done, Split split, Evaluation* evaluation) {
  RETURN_IF_ERROR(Measure(steps_done));
  const Train& train = plan_->config.train();
  ASSIGN_OR_RETURN(*evaluation, evaluator_->Evaluate(split, train.evaluate_each_worker()));
  if (split == Split::kTest || train.validation_bleu()) {
    ASSIGN_OR_RETURN(evaluation->bleu, evaluator_->Bleu(split));
  }
  RETURN_IF_ERROR(parts_.model->Bind(x_, g_));
  if (split == Split::kValidation && train.continue_from_average()) {
    RETURN_IF_ERROR(evaluator_->ContinueFromAverage());
  }
  return worker_.id == 0 ? monitor_->ReportEvaluation(steps_done, split, *evaluation)
                         : absl::OkStatus();
}

absl::Status Trainer::VisitState(StateVisitor* visitor) {
  RETURN_IF_ERROR(visitor->Visit("parameters", x_));
  PrefixVisitor optimizer("optimizer/", visitor), algorithm("algorithm/", visitor),
      model("model/", visitor);
  RETURN_IF_ERROR(parts_.optimizer->VisitState(&optimizer));
  RETURN_IF_ERROR(parts_.algorithm->VisitState(&algorithm));
  if (loss_scale_ != nullptr) {
    PrefixVisitor loss_scale("loss_scale/", visitor);
    RETURN_IF_ERROR(loss_scale_->VisitState(&loss_scale));
  }
  return parts_.model->VisitState(&model);
}

absl::StatusOr<TensorDigests> Trainer::DigestsOf(int64_t steps_done) {
  const int64_t every = plan_->config.train().digest_every_steps();
  if (every == 0 || steps_done % every != 0 || !numeric_) return TensorDigests();
  RETURN_IF_ERROR(parts_.algorithm->Quiesce());
  DigestVisitor visitor(worker_.layout);
  HostState host(&visitor);
  RETURN_IF_ERROR(VisitState(&host));
  return visitor.entries();
}

absl::StatusOr<uint64_t> Trainer::Digest() {
  RETURN_IF_ERROR(parts_.algorithm->Quiesce());
  if (!numeric_) return 0;
  DigestVisitor visitor(worker_.layout);
  HostState host(&visitor);
  RETURN_IF_ERROR(VisitState(&host));
  ASSIGN_OR_RETURN(const auto digests, evaluator_->GatherBits(visitor.digest()));
  return CombineDigests(digests);
}

absl::StatusOr<bool> Trainer::AnyDiverged() {
  RETURN_IF_ERROR(ReportLastStep());
  ASSIGN_OR_RETURN(const auto diverged, evaluator_->Gather(diverged_ ? 1.0 : 0.0));
  return std::count(diverged.begin(), diverged.end(), 1.0) > 0;
}

absl::Status Trainer::Save(int64_t steps_done) {
  RETURN_IF_ERROR(parts_.algorithm->Quiesce());
  const absl::Status saved = checkpointer_->Save(
      steps_done, [this](StateVisitor* visitor) { return parts_.model->VisitState(visitor); });
  return WithContext(saved, absl::StrCat("checkpoint after step ", steps_done));
}

absl::StatusOr<TrainedState> Trainer::Run() {
  monitor_->Attach(comm_);
  auto trained = RunSteps();
  // Before the others are told to end too: afterwards there is nothing to see.
  if (absl::IsDeadlineExceeded(trained.status())) {
    monitor_->WriteHangReport(std::string(trained.status().message()));
  }
  monitor_->Detach(comm_);
  return trained;
}

absl::Status Trainer::BetweenSteps(int64_t steps_done) {
  if (!numeric_) return absl::OkStatus();
  const int64_t measure_every = plan_->config.train().consensus_every_steps();
  if (plan_->eval_every_steps > 0 && steps_done % plan_->eval_every_steps == 0) {
    Evaluation validation;
    RETURN_IF_ERROR(WithContext(Evaluate(steps_done, Split::kValidation, &validation),
                                absl::StrCat("evaluation at step ", steps_done)));
  } else if (measure_every > 0 && steps_done % measure_every == 0) {
    RETURN_IF_ERROR(
        WithContext(Measure(steps_done), absl::StrCat("measurement at step ", steps_done)));
  }
  if (!checkpointer_->IsDue(steps_done)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool diverged, AnyDiverged());
  return diverged ? absl::OkStatus() : Save(steps_done);
}

absl::StatusOr<TrainedState> Trainer::RunSteps() {
  TrainedState state;
  ASSIGN_OR_RETURN(int64_t step, Start());
  for (;; ++step) {
    if (!TakesPart(step - 1)) {
      RETURN_IF_ERROR(ReportLastStep());
      ASSIGN_OR_RETURN(step, AwaitReturn(step));
      if (step < 0) return state;
    }
    if (step >= plan_->steps || !monitor_->Enter(worker_.id, step)) break;
    RETURN_IF_ERROR(WithContext(ChangeMembers(step), absl::StrCat("change before step ", step)));
    if (!TakesPart(step)) continue;
    Pause(step);
    RETURN_IF_ERROR(WithContext(Step(step), absl::StrCat("step ", step)));
    const int64_t done = step + 1;
    if (done < plan_->steps) RETURN_IF_ERROR(BetweenSteps(done));  // the end comes below
  }
  RETURN_IF_ERROR(TellAllAway(step));
  ASSIGN_OR_RETURN(state.state_digest, Digest());
  // What follows is collective, so all workers must agree on it: they do on the step they stopped
  // at, and on whether anybody's loss was not finite once they have exchanged that.
  ASSIGN_OR_RETURN(const bool diverged, AnyDiverged());
  if (diverged || !numeric_) return state;
  // Before the last evaluation: killed there, a run goes on with that.
  RETURN_IF_ERROR(Save(step));
  if (step < plan_->steps && !monitor_->out_of_time()) {
    RETURN_IF_ERROR(Measure(step));
    return state;
  }
  RETURN_IF_ERROR(Evaluate(step, Split::kTest, &state.test));
  state.evaluated = true;
  return state;
}

}  // namespace starling
