#include "models/quadratic/quadratic.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/model.h"
#include "models/quadratic/quadratic.pb.h"

namespace starling {
namespace {

double WeightedSquaredDistance(absl::Span<const double> weights, absl::Span<const double> x,
                               absl::Span<const double> y) {
  double sum = 0;
  for (size_t k = 0; k < x.size(); ++k) sum += weights[k] * (x[k] - y[k]) * (x[k] - y[k]);
  return sum;
}

double Get(const Buffer& values, int64_t i) {
  return values.type == DType::kF32 ? values.as<float>()[i] : values.as<double>()[i];
}

void Set(const Buffer& values, int64_t i, double value) {
  if (values.type == DType::kF32) {
    values.as<float>()[i] = static_cast<float>(value);
  } else {
    values.as<double>()[i] = value;
  }
}

// Computes in double and rounds once, so that F32 differs from F64 by storage only.
class Quadratic final : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const QuadraticConfig& config,
                                                       const Model::Context& context) {
    RETURN_IF_ERROR(CheckComputesPlainly("quadratic", context));
    if (config.tensors() > config.dimension()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model \"quadratic\": tensors is ", config.tensors(), " and dimension is ",
                       config.dimension(), "; a tensor holds at least one parameter"));
    }
    if (context.dtype != DType::kF32 && context.dtype != DType::kF64) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model \"quadratic\" computes in F32 or F64, not in ", DTypeName(context.dtype)));
    }
    return std::make_unique<Quadratic>(config, context);
  }

  Quadratic(const QuadraticConfig& config, const Model::Context& context)
      : dtype_(context.dtype),
        noise_(config.noise()),
        term_(DrawQuadratic(context.seed, context.worker, config.dimension())),
        seed_(context.seed),
        workers_(context.workers) {
    std::vector<TensorInfo> tensors;
    int64_t begin = 0;
    for (int64_t i = 0; i < config.tensors(); ++i) {
      const int64_t end = (i + 1) * config.dimension() / config.tensors();
      TensorInfo info;
      info.name = absl::StrCat("x", i);
      info.shape = {end - begin};
      tensors.push_back(std::move(info));
      begin = end;
    }
    layout_ = MakeLayout(std::move(tensors), context.bucket_bytes, SizeOf(dtype_));
  }

  const Layout& layout() const override { return layout_; }

  // N(0, 1) in the order of the coordinates, however they are cut into tensors.
  absl::Status Initialize(uint64_t stream, Buffer x) override {
    RETURN_IF_ERROR(Check("x", x));
    for (int64_t i = 0; i < x.count; ++i) Set(x, i, 0);
    Random random(stream);
    for (const TensorInfo& tensor : layout_.tensors) {
      for (int64_t i = 0; i < tensor.count; ++i) Set(x, tensor.offset + i, random.Normal());
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

  // The loss is f_i(x) of this worker, without the noise, whose mean is zero.
  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                             const BucketReady& ready) override {
    if (g_.count == 0) {
      return absl::FailedPreconditionError(
          "model \"quadratic\": no gradients are bound; Bind(x, g) comes before ForwardBackward");
    }
    const std::vector<double> x = Parameters();
    loss_ = term_.Value(x);
    ForwardDone();
    Random random(stream);
    size_t k = 0;
    int bucket = 0;
    for (const TensorInfo& tensor : layout_.tensors) {
      const Range& range = layout_.buckets[bucket];
      if (tensor.offset >= range.offset + range.count) RETURN_IF_ERROR(ready(bucket++));
      for (int64_t i = 0; i < tensor.count; ++i, ++k) {
        double gradient = term_.curvatures[k] * (x[k] - term_.centres[k]);
        if (noise_ > 0) gradient += noise_ * random.Normal();
        Set(g_, tensor.offset + i, gradient);
      }
    }
    RETURN_IF_ERROR(ready(bucket));
    return StepResult{AsBuffer(absl::MakeSpan(&loss_, 1)), batch.size};
  }

  // The common objective f(x), for every example.
  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    if (x_.count == 0) {
      return absl::FailedPreconditionError(
          "model \"quadratic\": no parameters are bound; Bind comes before Evaluate");
    }
    const std::vector<double> x = Parameters();
    if (!objective_) objective_ = MeanQuadratic(seed_, workers_, static_cast<int64_t>(x.size()));
    sums->loss += static_cast<double>(batch.size) * objective_->Value(x);
    sums->targets += batch.size;
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 private:
  absl::Status Check(absl::string_view what, const Buffer& arena) const {
    return CheckArena("quadratic", what, layout_, dtype_, arena);
  }

  // x without the padding.
  std::vector<double> Parameters() const {
    std::vector<double> x;
    x.reserve(term_.centres.size());
    for (const TensorInfo& tensor : layout_.tensors) {
      for (int64_t i = 0; i < tensor.count; ++i) x.push_back(Get(x_, tensor.offset + i));
    }
    return x;
  }

  const DType dtype_;
  const double noise_;
  const QuadraticTerm term_;
  const uint64_t seed_;
  const int workers_;
  std::optional<QuadraticObjective> objective_;  // made by the first evaluation: only some do any
  Layout layout_;
  Buffer x_, g_;
  double loss_ = 0;  // of the last pass
};

STARLING_REGISTER_PLUGIN(Model, Quadratic, QuadraticConfig,
                         PluginFacts{"quadratic",
                                     "another quadratic on every worker, known optimum; no data",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace

double QuadraticTerm::Value(absl::Span<const double> x) const {
  return 0.5 * WeightedSquaredDistance(curvatures, x, centres);
}

double QuadraticObjective::Value(absl::Span<const double> x) const {
  return value_at_optimum + 0.5 * WeightedSquaredDistance(curvatures, x, optimum);
}

QuadraticTerm DrawQuadratic(uint64_t seed, int worker, int64_t dimension) {
  Random random(StreamKey(seed, Purpose::kSynthetic, worker, 0));
  QuadraticTerm term;
  for (int64_t k = 0; k < dimension; ++k) {
    term.curvatures.push_back(0.5 + 1.5 * random.Uniform());
    term.centres.push_back(3.0 * random.Normal());
  }
  return term;
}

QuadraticObjective MeanQuadratic(uint64_t seed, int workers, int64_t dimension) {
  const double n = workers;
  QuadraticObjective mean;
  mean.curvatures.assign(dimension, 0);
  mean.optimum.assign(dimension, 0);
  for (int worker = 0; worker < workers; ++worker) {
    const QuadraticTerm term = DrawQuadratic(seed, worker, dimension);
    for (int64_t k = 0; k < dimension; ++k) {
      mean.curvatures[k] += term.curvatures[k] / n;
      mean.optimum[k] += term.curvatures[k] * term.centres[k] / n;
    }
  }
  for (int64_t k = 0; k < dimension; ++k) mean.optimum[k] /= mean.curvatures[k];
  // Drawn again: keeping all terms would take memory for workers * dimension numbers.
  for (int worker = 0; worker < workers; ++worker) {
    mean.value_at_optimum += DrawQuadratic(seed, worker, dimension).Value(mean.optimum) / n;
  }
  return mean;
}

}  // namespace starling
