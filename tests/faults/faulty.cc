// Test only: the model quadratic with one fault, at one place in one step of one worker. Before a
// signal it says so on standard error, so that a test can take the time.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/clock.h"
#include "core/config/plugin_ref.pb.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/model.h"
#include "models/quadratic/quadratic.pb.h"
#include "tests/faults/faulty.pb.h"

namespace starling {
namespace {

// In an exchange a worker waits, and its model is not called. There a thread sends the signal this
// long after the last bucket, and the next worker's pass takes longer than that.
constexpr auto kIntoTheExchange = std::chrono::milliseconds(200);
constexpr double kNextWorkerSeconds = 0.6;

class Faulty final : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const FaultyConfig& config,
                                                       const Model::Context& context) {
    QuadraticConfig quadratic;  // where buckets are small, two: BACKWARD is between them
    quadratic.set_dimension(64);
    quadratic.set_tensors(2);
    PluginRef ref;
    ref.set_name("quadratic");
    ref.mutable_config()->PackFrom(quadratic);
    ASSIGN_OR_RETURN(auto model, Registry<Model>::Global().Create(ref, context));
    return std::make_unique<Faulty>(config, context, std::move(model));
  }

  Faulty(const FaultyConfig& config, const Model::Context& context, std::unique_ptr<Model> model)
      : config_(config),
        afflicted_(context.worker == config.worker()),
        delays_(context.worker == (config.worker() + 1) % context.workers),
        clock_(context.clock),
        model_(std::move(model)) {
    model_->set_forward_done([this] { ForwardDone(); });
  }

  const Layout& layout() const override { return model_->layout(); }
  absl::Status Initialize(uint64_t stream, Buffer x) override {
    return model_->Initialize(stream, x);
  }
  absl::Status Bind(Buffer x, Buffer g) override { return model_->Bind(x, g); }
  absl::Status VisitState(StateVisitor* visitor) override { return model_->VisitState(visitor); }

  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                             const BucketReady& ready) override {
    const int64_t step = steps_++;
    const auto at = [&](FaultyConfig::Place place) {
      return step == config_.step() && config_.place() == place;
    };
    clock_->SleepUntil(clock_->NowSeconds() + 1e-3 * config_.step_ms());
    if (at(FaultyConfig::FORWARD)) RETURN_IF_ERROR(Happen());
    if (at(FaultyConfig::EXCHANGE) && delays_ && config_.fault() != FaultyConfig::NONE) {
      clock_->SleepUntil(clock_->NowSeconds() + kNextWorkerSeconds);
    }
    const int last = static_cast<int>(layout().buckets.size()) - 1;
    return model_->ForwardBackward(batch, stream, [&](int bucket) -> absl::Status {
      if (bucket == last && at(FaultyConfig::BACKWARD)) RETURN_IF_ERROR(Happen());
      if (bucket == last && at(FaultyConfig::EXCHANGE)) ScheduleSignal();
      RETURN_IF_ERROR(ready(bucket));
      return bucket == last && at(FaultyConfig::EXCHANGE) ? Happen() : absl::OkStatus();
    });
  }

  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    if (config_.place() == FaultyConfig::EVALUATION && steps_ > config_.step()) {
      RETURN_IF_ERROR(Happen());
    }
    return model_->Evaluate(batch, sums);
  }

 private:
  bool signals() const {
    return config_.fault() == FaultyConfig::KILL || config_.fault() == FaultyConfig::STOP;
  }

  void SendSignal() const {
    std::fprintf(stderr, "faulty: pid %d\n", getpid());
    kill(getpid(), config_.fault() == FaultyConfig::KILL ? SIGKILL : SIGSTOP);
  }

  void ScheduleSignal() {
    if (!afflicted_ || !signals()) return;
    std::thread([this] {
      std::this_thread::sleep_for(kIntoTheExchange);
      SendSignal();
    }).detach();
  }

  // Once at most.
  absl::Status Happen() {
    if (!afflicted_ || happened_) return absl::OkStatus();
    happened_ = true;
    if (config_.fault() == FaultyConfig::FAIL) return absl::InternalError("a made-up fault");
    if (config_.fault() == FaultyConfig::SLEEP) {
      clock_->SleepUntil(clock_->NowSeconds() + config_.sleep_seconds());
    }
    if (signals() && config_.place() != FaultyConfig::EXCHANGE) SendSignal();
    return absl::OkStatus();
  }

  const FaultyConfig config_;
  const bool afflicted_, delays_;
  Clock* const clock_;
  const std::unique_ptr<Model> model_;
  int64_t steps_ = 0;  // begun
  bool happened_ = false;
};

STARLING_REGISTER_PLUGIN(Model, Faulty, FaultyConfig,
                         PluginFacts{"faulty", "quadratic with one fault, for tests",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
