// Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015) and AdamW
// (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019). Equations:
// optim/adam_rule.h, with k the step from 1, and m', v' kept.
//
// With an algorithm that mixes, weight decay of either form sees the mixed parameters, while g is
// the gradient at the un-mixed ones. The moments are local: nobody communicates them.
//
// State: m, v in parameter layout.
#include <memory>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "optim/adam/adam.pb.h"
#include "optim/adam/adam_kernel.h"
#include "optim/adam_rule.h"
#include "optim/fused_optimizer.h"

namespace starling {
namespace {

class Adam final : public FusedOptimizer {
 public:
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const AdamConfig& config,
                                                           const Optimizer::Context&) {
    return std::make_unique<Adam>(config, /*decoupled=*/false);
  }

  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const AdamWConfig& config,
                                                           const Optimizer::Context&) {
    return std::make_unique<Adam>(config, /*decoupled=*/true);
  }

  template <typename Config>
  Adam(const Config& config, bool decoupled)
      : FusedOptimizer(SettingsOf(config), {"m", "v"}),
        constants_(AdamConstantsOf(config, decoupled)) {}

  bool has_momentum() const override { return constants_.beta1 > 0; }

  void BeginStep() override {
    FusedOptimizer::BeginStep();
    correction_ = CorrectionAt(constants_, step());
  }

 private:
  void RunPass(const ops::FusedPass& pass, double lr, double weight_decay) override {
    AdamPass(pass, MakeAdamStep(constants_, correction_, lr, weight_decay));
  }

  const AdamConstants constants_;
  AdamCorrection correction_;
};

using AdamW = Adam;

STARLING_REGISTER_PLUGIN(Optimizer, Adam, AdamConfig,
                         PluginFacts{"adam", "adaptive moments; weight decay as L2 penalty",
                                     "Kingma and Ba, ICLR 2015", /*aliases=*/{}, /*limits=*/""});
STARLING_REGISTER_PLUGIN(Optimizer, AdamW, AdamWConfig,
                         PluginFacts{"adamw", "adaptive moments; decoupled weight decay",
                                     "Loshchilov and Hutter, ICLR 2019", /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
