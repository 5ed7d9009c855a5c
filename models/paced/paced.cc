// A model that waits instead of computing: its passes take the time that the config says and no
// processor, so that communication is measured and not the fight for cores.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/model.h"
#include "models/paced/paced.pb.h"

namespace starling {
namespace {

// Values repeat after so many elements of a tensor: few enough to stay in the fastest cache, so
// that a pass reads and writes each bucket once.
constexpr int64_t kPattern = 1024;

// kPattern numbers from N(0, 1).
void DrawPattern(uint64_t stream, Buffer pattern) {
  Random random(stream);
  for (int64_t i = 0; i < kPattern; ++i) {
    const double value = random.Normal();
    if (pattern.type == DType::kF32) {
      pattern.as<float>()[i] = static_cast<float>(value);
    } else {
      pattern.as<double>()[i] = value;
    }
  }
}

// Calls visit(values, pattern), slices of equal length, for the parts of one tensor.
template <typename Visit>
void ForEachPart(Buffer tensor, Buffer pattern, const Visit& visit) {
  for (int64_t offset = 0; offset < tensor.count; offset += kPattern) {
    const int64_t count = std::min(kPattern, tensor.count - offset);
    visit(tensor.Slice(offset, count), pattern.Slice(0, count));
  }
}

// 1/2 sum_k (x_k - c_k)^2 over one tensor.
double HalfSquaredDistance(Buffer tensor, Buffer centre) {
  double sum = 0;
  ForEachPart(tensor, centre, [&](Buffer x, Buffer c) { sum += ops::SquaredDistance(x, c); });
  return 0.5 * sum;
}

class Paced final : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const PacedConfig& config,
                                                       const Model::Context& context) {
    RETURN_IF_ERROR(CheckComputesPlainly("paced", context));
    if (config.tensors() > config.parameters()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model \"paced\": tensors is ", config.tensors(), " and parameters is ",
                       config.parameters(), "; a tensor holds at least one parameter"));
    }
    if (context.dtype != DType::kF32 && context.dtype != DType::kF64) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model \"paced\" computes in F32 or F64, not in ", DTypeName(context.dtype)));
    }
    return std::make_unique<Paced>(config, context);
  }

  Paced(const PacedConfig& config, const Model::Context& context)
      : dtype_(context.dtype),
        seed_(context.seed),
        workers_(context.workers),
        forward_seconds_(1e-3 * config.forward_ms()),
        backward_seconds_(1e-3 * config.backward_ms()),
        jitter_(config.jitter()),
        clock_(context.clock),
        centre_(kPattern, dtype_) {
    std::vector<TensorInfo> tensors;
    int64_t begin = 0;
    for (int64_t i = 0; i < config.tensors(); ++i) {
      // The product of the two would overflow.
      const int64_t end = begin + (config.parameters() - begin) / (config.tensors() - i);
      TensorInfo info;
      info.name = absl::StrCat("x", i);
      info.shape = {end - begin};
      tensors.push_back(std::move(info));
      begin = end;
    }
    layout_ = MakeLayout(std::move(tensors), context.bucket_bytes, SizeOf(dtype_));
    DrawPattern(CentreStream(context.worker), centre_.buffer());
  }

  const Layout& layout() const override { return layout_; }

  absl::Status Initialize(uint64_t stream, Buffer x) override {
    RETURN_IF_ERROR(Check("x", x));
    Arena pattern(kPattern, dtype_);
    DrawPattern(stream, pattern.buffer());
    ops::Zero(x);
    for (const TensorInfo& tensor : layout_.tensors) {
      ForEachPart(x.Slice(tensor.offset, tensor.count), pattern.buffer(),
                  [](Buffer part, Buffer values) { ops::Copy(values, part); });
    }
    return absl::OkStatus();
  }

  absl::Status Bind(Buffer x, Buffer g) override {
    RETURN_IF_ERROR(Check("x", x));
    if (g.count != 0) RETURN_IF_ERROR(Check("g", g));
    x_ = x;
    g_ = g;
    return absl::OkStatus();
  }

  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                             const BucketReady& ready) override {
    if (g_.count == 0) {
      return absl::FailedPreconditionError(
          "model \"paced\": no gradients are bound; Bind(x, g) comes before ForwardBackward");
    }
    double pace = 1;
    if (jitter_ > 0) pace = std::max(0.0, 1 + jitter_ * Random(stream).Normal());
    loss_ = 0;
    // When what has been computed so far ends. Waking up late and writing the gradient are part of
    // the modelled time and do not add up; what `ready` takes comes on top.
    double due = clock_->NowSeconds() + pace * forward_seconds_;
    clock_->SleepUntil(due);
    ForwardDone();
    auto tensor = layout_.tensors.begin();
    for (size_t b = 0; b < layout_.buckets.size(); ++b) {
      const Range& bucket = layout_.buckets[b];
      for (; tensor != layout_.tensors.end() && tensor->offset < bucket.offset + bucket.count;
           ++tensor) {
        loss_ += Differentiate(*tensor);
      }
      const double share = static_cast<double>(bucket.count) / static_cast<double>(layout_.size);
      due += pace * backward_seconds_ * share;
      clock_->SleepUntil(due);
      const double handed_over = clock_->NowSeconds();
      RETURN_IF_ERROR(ready(static_cast<int>(b)));
      due += clock_->NowSeconds() - handed_over;
    }
    return StepResult{AsBuffer(absl::MakeSpan(&loss_, 1)), batch.size};
  }

  // Takes no modelled time.
  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    if (x_.count == 0) {
      return absl::FailedPreconditionError(
          "model \"paced\": no parameters are bound; Bind comes before Evaluate");
    }
    if (optimum_.empty()) FindOptimum();
    double distance = 0;
    for (const TensorInfo& tensor : layout_.tensors) {
      distance += HalfSquaredDistance(x_.Slice(tensor.offset, tensor.count), optimum_.buffer());
    }
    sums->loss += static_cast<double>(batch.size) * distance;
    sums->targets += batch.size;
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 private:
  absl::Status Check(absl::string_view what, const Buffer& arena) const {
    return CheckArena("paced", what, layout_, dtype_, arena);
  }

  uint64_t CentreStream(int worker) const {
    return StreamKey(seed_, Purpose::kSynthetic, worker, 0);
  }

  // Writes the gradient x - c of one tensor; returns its part of the loss.
  double Differentiate(const TensorInfo& tensor) {
    const Buffer x = x_.Slice(tensor.offset, tensor.count);
    const Buffer g = g_.Slice(tensor.offset, tensor.count);
    double squares = 0;
    for (int64_t offset = 0; offset < tensor.count; offset += kPattern) {
      const int64_t count = std::min(kPattern, tensor.count - offset);
      const Buffer gradient = g.Slice(offset, count);
      const Source terms[] = {{1, x.Slice(offset, count)}, {-1, centre_.buffer().Slice(0, count)}};
      ops::WeightedSum(terms, gradient);
      squares += ops::Dot(gradient, gradient);
    }
    return 0.5 * squares;
  }

  // The mean of all workers' centres.
  void FindOptimum() {
    optimum_ = Arena(kPattern, dtype_);
    Arena centre(kPattern, dtype_);
    for (int worker = 0; worker < workers_; ++worker) {
      DrawPattern(CentreStream(worker), centre.buffer());
      ops::Axpy(1.0 / workers_, centre.buffer(), optimum_.buffer());
    }
  }

  const DType dtype_;
  const uint64_t seed_;
  const int workers_;
  const double forward_seconds_, backward_seconds_, jitter_;
  Clock* const clock_;
  Arena centre_;   // this worker's c
  Arena optimum_;  // made by the first evaluation: only some do any
  Layout layout_;
  Buffer x_, g_;
  double loss_ = 0;  // of the last pass
};

STARLING_REGISTER_PLUGIN(Model, Paced, PacedConfig,
                         PluginFacts{"paced",
                                     "waits instead of computing, for measuring communication; "
                                     "no data",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
