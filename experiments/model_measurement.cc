#include "experiments/model_measurement.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/message_times.h"
#include "core/device/device.h"
#include "core/random/random.h"
#include "core/status.h"
#include "experiments/batch_loader.h"

namespace starling {
namespace {

constexpr int kWarmUpSteps = 3;
constexpr int64_t kFewestSteps = 10, kMostSteps = 100;
constexpr double kSeconds = 10;
constexpr size_t kMostSamples = 64;
constexpr double kSlow = 0.05;     // relative difference of a worker worth a line
constexpr double kSteady = 0.002;  // relative jitter below which there is none

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// One worker's passes.
class Passes {
 public:
  // What one step took, in seconds.
  struct Times {
    double forward = 0;
    std::vector<double> backward;  // by bucket
    double update = 0;
    double pass() const { return forward + std::accumulate(backward.begin(), backward.end(), 0.0); }
  };

  Passes(const Plan& plan, Communicator* comm) : plan_(plan), comm_(comm) {}

  absl::Status Start() {
    ASSIGN_OR_RETURN(parts_, MakeWorkerParts(plan_, comm_));
    const Layout& layout = parts_.model->layout();
    ASSIGN_OR_RETURN(x_, comm_->Allocate(layout.size, plan_.dtype));
    ASSIGN_OR_RETURN(g_, comm_->Allocate(layout.size, plan_.dtype));
    ASSIGN_OR_RETURN(sent_, comm_->Allocate(layout.size, plan_.dtype));
    RETURN_IF_ERROR(parts_.model->Initialize(
        StreamKey(plan_.config.seed(), Purpose::kInitialization, 0, 0), x_));
    RETURN_IF_ERROR(parts_.model->Bind(x_, g_));
    RETURN_IF_ERROR(parts_.optimizer->Start(layout, plan_.dtype, x_.place));
    sampler_ = MakeSampler(plan_, comm_->rank());
    const auto read = [this](int64_t step, int part, Batch* batch) {
      const auto ids = sampler_->Next(step);
      const size_t size = ids.size() / plan_.config.train().micro_batches();
      return plan_.dataset->Read(Split::kTrain, ids.subspan(part * size, size),
                                 WorkerOf(plan_, comm_).stream(Purpose::kAugmentation, step),
                                 batch);
    };
    ASSIGN_OR_RETURN(loader_, BatchLoader::Create(read, plan_.config.train().micro_batches(),
                                                  kWarmUpSteps + kMostSteps, x_.place));
    return absl::OkStatus();
  }

  const Layout& layout() const { return parts_.model->layout(); }

  absl::StatusOr<Times> Step(int64_t step) {
    Clock& clock = comm_->clock();
    const Worker worker = WorkerOf(plan_, comm_);
    const int parts = plan_.config.train().micro_batches();
    Times times;
    times.backward.assign(layout().buckets.size(), 0);
    double last = clock.NowSeconds();
    absl::Status computed;
    // Adds what has passed since the last call, until a device has done all that it has been given.
    const auto lap = [&](double* part) {
      if (x_.place == Place::kDevice) computed.Update(LinkedDevice()->Wait(CurrentQueue()));
      const double now = clock.NowSeconds();
      *part += now - last;
      last = now;
    };
    parts_.model->set_forward_done([&] { lap(&times.forward); });
    parts_.optimizer->BeginStep();
    for (int part = 0; part < parts; ++part) {
      const auto ready = [&](int b) -> absl::Status {
        lap(&times.backward[b]);
        if (part < parts - 1) return absl::OkStatus();
        RETURN_IF_ERROR(Update(b));
        lap(&times.update);
        return absl::OkStatus();
      };
      ASSIGN_OR_RETURN(const Batch* const batch, loader_->Next(step, part));
      RETURN_IF_ERROR(
          parts_.model->ForwardBackward(*batch, worker.stream(Purpose::kDropout, step), ready)
              .status());
    }
    RETURN_IF_ERROR(computed);
    return times;
  }

 private:
  // The local rule alone, and the copy that would be sent; a rate of zero keeps the model sane.
  absl::Status Update(int b) {
    const Range& range = layout().buckets[b];
    UpdateArgs args;
    args.offset = range.offset;
    args.x = x_.Slice(range.offset, range.count);
    args.gradient = g_.Slice(range.offset, range.count);
    args.copy_to = sent_.Slice(range.offset, range.count);
    return parts_.optimizer->Update(args);
  }

  const Plan& plan_;
  Communicator* const comm_;
  WorkerParts parts_;
  std::unique_ptr<Sampler> sampler_;
  Buffer x_, g_, sent_;
  std::unique_ptr<BatchLoader> loader_;  // first to go: it reads with what is above
};

// Evenly spaced quantiles of factors around 1.
void SetJitter(std::vector<double> factors, Jitter* jitter) {
  double squares = 0;
  for (double factor : factors) squares += (factor - 1) * (factor - 1);
  const double relative = std::sqrt(squares / static_cast<double>(factors.size()));
  if (relative < kSteady) return;
  std::sort(factors.begin(), factors.end());
  const size_t count = std::min(kMostSamples, factors.size());
  jitter->set_distribution(Jitter::EMPIRICAL);
  jitter->set_relative(relative);
  for (size_t i = 0; i < count; ++i) {
    const double factor = factors[(2 * i + 1) * factors.size() / (2 * count)];
    jitter->add_sample(std::round(1e4 * factor) / 1e4);
  }
}

}  // namespace

absl::Status MeasureModel(const Plan& plan, Communicator* comm, int64_t* number, const Say& say,
                          ClusterSpec* cluster) {
  Passes passes(plan, comm);
  RETURN_IF_ERROR(passes.Start());
  const auto gather = [&](double own) { return GatherMeasured(comm, (*number)++, own); };
  double slowest = 0;
  for (int64_t step = 0; step < kWarmUpSteps; ++step) {
    ASSIGN_OR_RETURN(const Passes::Times times, passes.Step(step));
    ASSIGN_OR_RETURN(const auto all, gather(times.pass() + times.update));
    slowest = *std::max_element(all.begin(), all.end());
  }
  const int64_t steps =
      std::clamp(static_cast<int64_t>(kSeconds / slowest), kFewestSteps, kMostSteps);
  std::vector<Passes::Times> measured;
  for (int64_t step = 0; step < steps; ++step) {
    ASSIGN_OR_RETURN(measured.emplace_back(), passes.Step(kWarmUpSteps + step));
  }
  // The mean over all workers and steps.
  const auto mean = [&](const auto& part) -> absl::StatusOr<double> {
    double own = 0;
    for (const Passes::Times& times : measured) own += part(times) / static_cast<double>(steps);
    ASSIGN_OR_RETURN(const auto all, gather(own));
    return Mean(all);
  };
  double own_pass = 0;
  for (const Passes::Times& times : measured) own_pass += times.pass() / static_cast<double>(steps);
  ASSIGN_OR_RETURN(const auto pass, gather(own_pass));
  std::vector<double> factors;
  for (const Passes::Times& times : measured) {
    ASSIGN_OR_RETURN(const auto all, gather(times.pass() / own_pass));
    factors.insert(factors.end(), all.begin(), all.end());
  }
  ASSIGN_OR_RETURN(const double forward, mean([](const auto& times) { return times.forward; }));
  ASSIGN_OR_RETURN(const double update, mean([](const auto& times) { return times.update; }));

  const double typical = Median(pass);
  ModelProfile* model = cluster->add_model();
  model->set_name(plan.config.model().name());
  model->set_fixed_ms(1e3 * typical);
  model->set_forward_share(forward / Mean(pass));
  model->set_update_ms(1e3 * update);
  double backward = 0;
  std::vector<double> by_bucket;
  for (size_t b = 0; b < passes.layout().buckets.size(); ++b) {
    ASSIGN_OR_RETURN(by_bucket.emplace_back(),
                     mean([b](const auto& times) { return times.backward[b]; }));
    backward += by_bucket.back();
  }
  for (size_t b = 0; b < by_bucket.size(); ++b) {
    BucketProfile* bucket = model->add_bucket();
    bucket->set_mb(1e-6 * static_cast<double>(passes.layout().buckets[b].count) *
                   static_cast<double>(SizeOf(plan.dtype)));
    bucket->set_backward_share(by_bucket[b] / backward);
  }
  SetJitter(factors, cluster->mutable_jitter());
  Spread* spread = model->add_spread();
  spread->set_field("fixed_ms");
  spread->set_relative(RelativeSpread(pass));
  for (size_t worker = 0; worker < pass.size(); ++worker) {
    if (std::abs(pass[worker] / typical - 1) <= kSlow) continue;
    SlowWorker* slow = cluster->add_slow_worker();
    slow->set_worker(static_cast<int>(worker));
    slow->set_factor(pass[worker] / typical);
  }
  say(absl::StrFormat("  %-12s %9.4g ms a pass, jitter %.1f %%, update %.3g ms, %d steps",
                      model->name(), model->fixed_ms(), 100 * cluster->jitter().relative(),
                      model->update_ms(), steps));
  return absl::OkStatus();
}

}  // namespace starling
