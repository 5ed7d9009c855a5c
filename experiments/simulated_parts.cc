#include "experiments/simulated_parts.h"

#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "comm/simulation.h"
#include "core/buffer.h"
#include "core/status.h"

namespace starling {
namespace {

class TimedModel final : public Model {
 public:
  TimedModel(std::unique_ptr<Model> model, int passes, Communicator* comm)
      : model_(std::move(model)), passes_(passes), comm_(comm) {
    model_->set_forward_done([this] {
      comm_->clock().SleepUntil(due_);
      ForwardDone();
    });
  }

  const Layout& layout() const override { return model_->layout(); }
  absl::Status Initialize(uint64_t stream, Buffer x) override {
    return model_->Initialize(stream, x);
  }
  absl::Status Bind(Buffer x, Buffer g) override { return model_->Bind(x, g); }

  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                             const BucketReady& ready) override {
    Clock& clock = comm_->clock();
    const int64_t step = comm_->recorder().step();
    const Simulation::Pass pass = comm_->simulation()->PassOf(comm_->rank(), step);
    const bool first = std::exchange(step_, step) != step;
    due_ = clock.NowSeconds() + (first ? pass.stall : 0) + pass.forward / passes_;
    model_->set_loss_scale(loss_scale());
    return model_->ForwardBackward(batch, stream, [&](int bucket) -> absl::Status {
      due_ += pass.backward[bucket] / passes_;
      clock.SleepUntil(due_);
      const double handed_over = clock.NowSeconds();
      RETURN_IF_ERROR(ready(bucket));
      due_ += clock.NowSeconds() - handed_over;  // comes on top
      return absl::OkStatus();
    });
  }

  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    return model_->Evaluate(batch, sums);
  }
  absl::StatusOr<std::vector<std::vector<int64_t>>> Translate(const Batch& batch) override {
    return model_->Translate(batch);
  }
  absl::Status VisitState(StateVisitor* visitor) override { return model_->VisitState(visitor); }

 private:
  std::unique_ptr<Model> model_;
  const int passes_;
  Communicator* const comm_;
  int64_t step_ = -1;  // of the last pass
  double due_ = 0;     // when what has been computed so far ends
};

class TimedOptimizer final : public Optimizer {
 public:
  TimedOptimizer(std::unique_ptr<Optimizer> optimizer, Communicator* comm)
      : optimizer_(std::move(optimizer)), numeric_(!comm->simulation()->time_only()), comm_(comm) {}

  double lr() const override { return optimizer_->lr(); }
  bool has_momentum() const override { return optimizer_->has_momentum(); }
  absl::Status Start(const Layout& layout, DType type, Place place) override {
    return numeric_ ? optimizer_->Start(layout, type, place) : absl::OkStatus();
  }
  void BeginStep() override {
    if (numeric_) optimizer_->BeginStep();
  }
  absl::Status Update(const UpdateArgs& args) override {
    if (numeric_) RETURN_IF_ERROR(optimizer_->Update(args));
    Clock& clock = comm_->clock();
    clock.SleepUntil(clock.NowSeconds() + comm_->simulation()->UpdateSeconds(args.x.count));
    return absl::OkStatus();
  }
  absl::Status VisitState(StateVisitor* visitor) override {
    return numeric_ ? optimizer_->VisitState(visitor) : absl::OkStatus();
  }

 private:
  std::unique_ptr<Optimizer> optimizer_;
  const bool numeric_;
  Communicator* const comm_;
};

class SizesOnlyModel final : public Model {
 public:
  explicit SizesOnlyModel(const Layout* layout) : layout_(layout) {}

  const Layout& layout() const override { return *layout_; }
  absl::Status Initialize(uint64_t, Buffer) override { return absl::OkStatus(); }
  absl::Status Bind(Buffer, Buffer) override { return absl::OkStatus(); }
  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t,
                                             const BucketReady& ready) override {
    ForwardDone();
    for (size_t b = 0; b < layout_->buckets.size(); ++b) {
      RETURN_IF_ERROR(ready(static_cast<int>(b)));
    }
    return StepResult{AsBuffer(absl::MakeSpan(&loss_, 1)), batch.size};
  }
  absl::Status Evaluate(const Batch&, MetricSums*) override { return absl::OkStatus(); }
  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 private:
  const Layout* const layout_;
  double loss_ = 0;
};

}  // namespace

std::unique_ptr<Model> MakeTimedModel(std::unique_ptr<Model> model, int passes,
                                      Communicator* comm) {
  return std::make_unique<TimedModel>(std::move(model), passes, comm);
}

std::unique_ptr<Optimizer> MakeTimedOptimizer(std::unique_ptr<Optimizer> optimizer,
                                              Communicator* comm) {
  return std::make_unique<TimedOptimizer>(std::move(optimizer), comm);
}

std::unique_ptr<Model> MakeSizesOnlyModel(const Layout* layout) {
  return std::make_unique<SizesOnlyModel>(layout);
}

}  // namespace starling
