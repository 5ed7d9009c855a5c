// Label skew by Dirichlet proportions: every class is divided over the workers on its own.
//
// Attempt a = 0, 1, ..., 99 draws everything from the stream (seed, kPartition, 0, a):
//
//   for each class c = 0, 1, ..., with m_c examples:
//     shuffle its examples, which start in ascending order
//     draw g_r ~ Gamma(alpha, 1) for r = 0..n-1;  p_r = g_r / sum(g), so p ~ Dirichlet(alpha)
//     worker r gets the shuffled examples [b_r, b_{r+1}),
//       b_r = round(m_c (p_0 + ... + p_{r-1})), halves up; b_n = m_c
//
// and the first attempt that leaves every worker min_examples counts.
//
// Source: proportions of the workers drawn for each class, as here: Yurochkin et al., "Bayesian
// Nonparametric Federated Learning of Neural Networks", ICML 2019. Hsu, Qi, Brown, "Measuring the
// Effects of Non-Identical Data Distribution for Federated Visual Classification", 2019, draw
// proportions of the classes for each worker instead: the same name, other data.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "data/dirichlet/dirichlet.pb.h"
#include "data/partition.h"

namespace starling {
namespace {

constexpr int kAttempts = 100;

// Proportions of `workers` workers, adding up to one.
std::vector<double> DrawProportions(double alpha, int workers, Random* random) {
  std::vector<double> p(workers);
  double sum = 0;
  for (double& gamma : p) {
    gamma = random->Gamma(alpha);
    sum += gamma;
  }
  if (sum > 0) {
    for (double& value : p) value /= sum;
  } else {
    // With alpha below about 1e-3 all draws may underflow. The limit of Dirichlet(alpha) for
    // alpha -> 0 is everything on one worker, all equally likely.
    p[random->Below(workers)] = 1;
  }
  return p;
}

class Dirichlet final : public Partition {
 public:
  static absl::StatusOr<std::unique_ptr<Partition>> Create(const DirichletConfig& config,
                                                           const Partition::Context& context) {
    return std::make_unique<Dirichlet>(config, context);
  }

  Dirichlet(const DirichletConfig& config, const Partition::Context& context)
      : config_(config), context_(context) {}

  absl::StatusOr<Assignment> Assign() const override {
    RETURN_IF_ERROR(CheckHasLabels(context_, "dirichlet"));
    // min_examples * workers > examples, without overflow.
    if (config_.min_examples() > context_.examples / context_.workers) {
      return absl::InvalidArgumentError(absl::StrCat(
          "partition \"dirichlet\": min_examples is ", config_.min_examples(), ", but ",
          context_.examples, " examples are at most ", context_.examples / context_.workers,
          " for each of ", context_.workers, " workers"));
    }
    const auto by_class = ExamplesByClass(context_.labels, context_.classes);
    int64_t best_minimum = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      Assignment assignment = Attempt(attempt, by_class);
      int64_t minimum = context_.examples;
      for (const auto& owned : assignment.owned) {
        minimum = std::min(minimum, static_cast<int64_t>(owned.size()));
      }
      if (minimum >= config_.min_examples()) return assignment;
      best_minimum = std::max(best_minimum, minimum);
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "partition \"dirichlet\": with alpha = ", config_.alpha(), ", none of ", kAttempts,
        " draws gave each of ", context_.workers, " workers min_examples = ",
        config_.min_examples(), " examples; the best gave the poorest worker ", best_minimum,
        ". Raise alpha, use fewer workers",
        config_.min_examples() > 1 ? ", or lower min_examples" : ""));
  }

 private:
  Assignment Attempt(int attempt, std::vector<std::vector<int64_t>> by_class) const {
    Random random(StreamKey(context_.seed, Purpose::kPartition, 0, attempt));
    Assignment assignment;
    assignment.owned.resize(context_.workers);
    for (std::vector<int64_t>& examples : by_class) {
      random.Shuffle(absl::MakeSpan(examples));
      const std::vector<double> p = DrawProportions(config_.alpha(), context_.workers, &random);
      const auto count = static_cast<int64_t>(examples.size());
      double sum = 0;
      int64_t begin = 0;
      for (int worker = 0; worker < context_.workers; ++worker) {
        sum += p[worker];
        const bool last = worker == context_.workers - 1;
        // `sum` may end a few ulps beside one.
        const auto cut = static_cast<int64_t>(std::floor(sum * static_cast<double>(count) + 0.5));
        const int64_t end = last ? count : std::min(cut, count);
        auto& owned = assignment.owned[worker];
        owned.insert(owned.end(), examples.begin() + begin, examples.begin() + end);
        begin = end;
      }
    }
    for (auto& owned : assignment.owned) std::sort(owned.begin(), owned.end());
    return assignment;
  }

  const DirichletConfig config_;
  const Partition::Context context_;
};

STARLING_REGISTER_PLUGIN(Partition, Dirichlet, DirichletConfig,
                         PluginFacts{"dirichlet",
                                     "each class divided by Dirichlet(alpha) proportions",
                                     "Yurochkin et al., ICML 2019",
                                     /*aliases=*/{}, "data sets with labels"});

}  // namespace
}  // namespace starling
