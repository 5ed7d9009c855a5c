// AccumAdam and AccumAdamW (Wang, Zhang, Wu and Johansson, "From promise to practice: realizing
// high-performance decentralized training", ICLR 2025; as in its package decent-dp): Adam for
// small local batches. Parameters move at every step, but only the mean gradient of a window of s
// steps enters the moments, whose noise is then that of a batch s times as large:
//
//   t <- t + 1,  k = ceil(t / s)                           step and window, from 1
//   g <- g + lambda x         (AccumAdam)                  x already mixed
//   x <- (1 - lr lambda) x    (AccumAdamW)
//   b <- b + g / s
//   m' = beta1 m + (1 - beta1) g                           for this step only
//   v' = beta2 v + (1 - beta2) g g
//   x <- x - lr / (1 - beta1^k) * m' / (sqrt(v') / sqrt(1 - beta2^k) + eps)
//   if s divides t:   m <- beta1 m + (1 - beta1) b         commit the window
//                     v <- beta2 v + (1 - beta2) b b
//                     b <- 0
//
// s = 1 is Adam. The exponent of the bias correction is the window, not the step.
//
// State: b, m, v in parameter layout. Inside a window m and v are read but not written.
#include <memory>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "optim/accum_adam/accum_adam.pb.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/adam_rule.h"
#include "optim/fused_optimizer.h"

namespace starling {
namespace {

class AccumAdam final : public FusedOptimizer {
 public:
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const AccumAdamConfig& config,
                                                           const Optimizer::Context&) {
    return std::make_unique<AccumAdam>(config, /*decoupled=*/false);
  }

  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const AccumAdamWConfig& config,
                                                           const Optimizer::Context&) {
    return std::make_unique<AccumAdam>(config, /*decoupled=*/true);
  }

  template <typename Config>
  AccumAdam(const Config& config, bool decoupled)
      : FusedOptimizer(SettingsOf(config), {"b", "m", "v"}),
        constants_(AdamConstantsOf(config, decoupled)),
        window_(config.window()) {}

  bool has_momentum() const override { return constants_.beta1 > 0; }

  void BeginStep() override {
    FusedOptimizer::BeginStep();
    correction_ = CorrectionAt(constants_, (step() + window_ - 1) / window_);
  }

 private:
  void RunPass(const ops::FusedPass& pass, double lr, double weight_decay) override {
    const AccumAdamStep step{MakeAdamStep(constants_, correction_, lr, weight_decay),
                             1.0 / static_cast<double>(window_)};
    if (this->step() % window_ == 0) {
      AccumAdamCommitPass(pass, step);
    } else {
      AccumAdamPass(pass, step);
    }
  }

  const AdamConstants constants_;
  const int64_t window_;
  AdamCorrection correction_;
};

using AccumAdamW = AccumAdam;

STARLING_REGISTER_PLUGIN(Optimizer, AccumAdam, AccumAdamConfig,
                         PluginFacts{"accum_adam",
                                     "Adam whose moments see the mean gradient of a window",
                                     "Wang et al., ICLR 2025", /*aliases=*/{}, /*limits=*/""});
STARLING_REGISTER_PLUGIN(Optimizer, AccumAdamW, AccumAdamWConfig,
                         PluginFacts{"accum_adamw", "accum_adam with decoupled weight decay",
                                     "Wang et al., ICLR 2025", /*aliases=*/{}, /*limits=*/""});

}  // namespace
}  // namespace starling
