// Gaussian classes, generated from the seed: example i of a split has class c = i mod classes and
//
//   x = separation * u_c + z,   z ~ N(0, I)
//
// with random directions u_c of length one, orthogonal to each other where there are at least as
// many features as classes. Then the best possible accuracy is known: with K classes,
//
//   E[ Phi(Z + separation)^(K - 1) ],  Z ~ N(0, 1)
//
// (the score <x, u_c> of the right class is N(separation, 1), those of the others N(0, 1), all
// independent), and the linear classifier with weights u_c reaches it.
//
// Streams: (seed, kSynthetic, 0, 0) for the directions, (seed, kSynthetic, 0, 1 + split) for the
// examples of a split in order, so that a larger split begins with the smaller one.
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/state.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/synthetic_classification/synthetic_classification.pb.h"

namespace starling {
namespace {

// 16 GiB of floats: beyond that somebody has mistyped a number.
constexpr double kMostFloats = 4294967296.0;

// Returns `classes` unit vectors, orthogonal if classes <= features.
std::vector<std::vector<double>> Directions(int64_t classes, int64_t features, Random* random) {
  std::vector<std::vector<double>> directions(classes, std::vector<double>(features));
  for (int64_t c = 0; c < classes; ++c) {
    std::vector<double>& u = directions[c];
    for (double& value : u) value = random->Normal();
    for (int64_t other = 0; other < c && classes <= features; ++other) {
      const std::vector<double>& v = directions[other];
      const double along = std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
      for (int64_t i = 0; i < features; ++i) u[i] -= along * v[i];
    }
    const double norm = std::sqrt(std::inner_product(u.begin(), u.end(), u.begin(), 0.0));
    for (double& value : u) value /= norm;
  }
  return directions;
}

class SyntheticClassification final : public Dataset {
 public:
  static absl::StatusOr<std::unique_ptr<Dataset>> Create(
      const SyntheticClassificationConfig& config, const Dataset::Context& context) {
    double floats = static_cast<double>(config.train_examples()) +
                    static_cast<double>(config.validation_examples()) +
                    static_cast<double>(config.test_examples()) +
                    static_cast<double>(config.classes());
    for (int64_t extent : config.shape()) floats *= static_cast<double>(extent);
    if (floats > kMostFloats) {
      return absl::InvalidArgumentError(
          absl::StrCat("dataset \"synthetic_classification\" would need ", floats / (1 << 28),
                       " GiB; at most 16 GiB are made: lower the examples or `shape`"));
    }
    return std::make_unique<SyntheticClassification>(config, context.seed);
  }

  SyntheticClassification(const SyntheticClassificationConfig& config, uint64_t seed) {
    const std::vector<int64_t> shape(config.shape().begin(), config.shape().end());
    spec_.fields = {{"features", shape, DType::kF32}, {"label", {}, DType::kI64}};
    spec_.classes = config.classes();
    for (int64_t extent : shape) features_ *= extent;

    Random random(StreamKey(seed, Purpose::kSynthetic, 0, 0));
    const auto directions = Directions(spec_.classes, features_, &random);
    const int64_t sizes[] = {config.train_examples(), config.validation_examples(),
                             config.test_examples()};
    const Layout no_layout;
    DigestVisitor digest(&no_layout);
    for (int split = 0; split < 3; ++split) {
      Generate(seed, split, sizes[split], config.separation(), directions);
      CHECK_OK(digest.Visit(SplitName(static_cast<Split>(split)),
                            AsBuffer(absl::MakeSpan(splits_[split].values))));
    }
    // The values do not tell their shape.
    std::vector<uint64_t> parts = {digest.digest(), static_cast<uint64_t>(spec_.classes)};
    parts.insert(parts.end(), shape.begin(), shape.end());
    fingerprint_ = CombineDigests(parts);
  }

  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return static_cast<int64_t>(labels(split).size()); }
  uint64_t fingerprint() const override { return fingerprint_; }
  absl::Span<const int32_t> labels(Split split) const override { return Of(split).labels; }

  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    const auto count = static_cast<int64_t>(examples.size());
    out->size = count;
    out->fields.resize(spec_.fields.size());
    const auto values = ReserveField(out, 0, count, spec_.fields[0].shape, DType::kF32).as<float>();
    const auto labels = ReserveField(out, 1, count, {}, DType::kI64).as<int64_t>();
    const Examples& from = Of(split);
    for (int64_t i = 0; i < count; ++i) {
      const auto example = from.values.begin() + examples[i] * features_;
      std::copy(example, example + features_, values.begin() + i * features_);
      labels[i] = from.labels[examples[i]];
    }
    return absl::OkStatus();
  }

 private:
  struct Examples {
    std::vector<float> values;  // [example][feature]
    std::vector<int32_t> labels;
  };

  const Examples& Of(Split split) const { return splits_[static_cast<int>(split)]; }

  void Generate(uint64_t seed, int split, int64_t size, double separation,
                const std::vector<std::vector<double>>& directions) {
    Random random(StreamKey(seed, Purpose::kSynthetic, 0, 1 + split));
    Examples& to = splits_[split];
    to.values.reserve(size * features_);
    to.labels.reserve(size);
    for (int64_t i = 0; i < size; ++i) {
      to.labels.push_back(static_cast<int32_t>(i % spec_.classes));
      for (double direction : directions[to.labels.back()]) {
        to.values.push_back(static_cast<float>(separation * direction + random.Normal()));
      }
    }
  }

  DataSpec spec_;
  int64_t features_ = 1;
  Examples splits_[3];
  uint64_t fingerprint_ = 0;
};

STARLING_REGISTER_PLUGIN(Dataset, SyntheticClassification, SyntheticClassificationConfig,
                         PluginFacts{"synthetic_classification",
                                     "Gaussian classes from the seed, with a known best accuracy",
                                     /*source=*/"", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
