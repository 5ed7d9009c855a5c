// Test only: a quadratic whose numbers are eighths. See README.md.
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "google/protobuf/empty.pb.h"
#include "models/model.h"

namespace starling {
namespace {

using ::google::protobuf::Empty;

// One of the eighths in [-2, 2).
double Eighths(Random* random) { return static_cast<double>(random->Below(32) - 16) / 8; }

// f(x) = sum_k curvature_k / 2 (x_k - centre_k)^2 of one worker.
struct Term {
  Term(uint64_t seed, int worker, int64_t size) {
    Random random(StreamKey(seed, Purpose::kTest, worker, 0));
    for (int64_t k = 0; k < size; ++k) {
      curvatures.push_back(static_cast<double>(1 + random.Below(3)) / 2);
      centres.push_back(Eighths(&random));
    }
  }
  std::vector<double> curvatures, centres;
};

class Dyadic final : public Model {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const Empty&,
                                                       const Model::Context& context) {
    if (context.dtype != DType::kF64) {
      return absl::InvalidArgumentError("model \"dyadic\" computes in F64 (train.dtype)");
    }
    return std::make_unique<Dyadic>(context);
  }

  explicit Dyadic(const Model::Context& context)
      : layout_(MakeLayout(Tensors(), context.bucket_bytes, SizeOf(context.dtype))) {
    for (int worker = 0; worker < context.workers; ++worker) {
      terms_.emplace_back(context.seed, worker, layout_.parameters());
    }
    own_ = context.worker;
  }

  const Layout& layout() const override { return layout_; }

  absl::Status Initialize(uint64_t stream, Buffer x) override {
    RETURN_IF_ERROR(CheckArena("dyadic", "x", layout_, DType::kF64, x));
    for (double& value : x.as<double>()) value = 0;
    Random random(stream);
    ForEach([&](int64_t, int64_t place) { x.as<double>()[place] = Eighths(&random); });
    return absl::OkStatus();
  }

  absl::Status Bind(Buffer x, Buffer g) override {
    RETURN_IF_ERROR(CheckArena("dyadic", "x", layout_, DType::kF64, x));
    if (g.count != 0) RETURN_IF_ERROR(CheckArena("dyadic", "g", layout_, DType::kF64, g));
    x_ = x;
    g_ = g;
    return absl::OkStatus();
  }

  absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t,
                                             const BucketReady& ready) override {
    if (g_.count == 0) return absl::FailedPreconditionError("model \"dyadic\": nothing is bound");
    loss_ = Value(terms_[own_]);
    ForwardDone();
    const Term& term = terms_[own_];
    ForEach([&](int64_t k, int64_t place) {
      g_.as<double>()[place] = term.curvatures[k] * (x_.as<double>()[place] - term.centres[k]);
    });
    for (size_t b = 0; b < layout_.buckets.size(); ++b) {
      RETURN_IF_ERROR(ready(static_cast<int>(b)));
    }
    return StepResult{AsBuffer(absl::MakeSpan(&loss_, 1)), batch.size};
  }

  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    if (x_.count == 0) return absl::FailedPreconditionError("model \"dyadic\": nothing is bound");
    double loss = 0;
    for (const Term& term : terms_) loss += Value(term) / static_cast<double>(terms_.size());
    sums->loss += static_cast<double>(batch.size) * loss;
    sums->targets += batch.size;
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 private:
  static std::vector<TensorInfo> Tensors() {
    TensorInfo weight, bias;
    weight.name = "weight";
    weight.shape = {2, 2};
    bias.name = "bias";
    bias.shape = {2};
    return {weight, bias};
  }

  // body(k, place): parameter k lies at that place of an arena.
  template <typename Body>
  void ForEach(const Body& body) const {
    int64_t k = 0;
    for (const TensorInfo& tensor : layout_.tensors) {
      for (int64_t i = 0; i < tensor.count; ++i) body(k++, tensor.offset + i);
    }
  }

  double Value(const Term& term) const {
    double value = 0;
    ForEach([&](int64_t k, int64_t place) {
      const double distance = x_.as<double>()[place] - term.centres[k];
      value += term.curvatures[k] / 2 * distance * distance;
    });
    return value;
  }

  const Layout layout_;
  std::vector<Term> terms_;
  int own_ = 0;
  Buffer x_, g_;
  double loss_ = 0;  // of the last pass
};

STARLING_REGISTER_PLUGIN(Model, Dyadic, Empty,
                         PluginFacts{"dyadic", "a small quadratic without libm, for tests",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
