// Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al., "On
// the importance of initialization and momentum in deep learning", ICML 2013), as in PyTorch:
//
//   g <- g + lambda x                 x already mixed
//   u <- mu u + g                     velocity, 0 at the start; no dampening
//   x <- x - lr u                     or x - lr (g + mu u) with nesterov
//
// State: u, in parameter layout; none with mu = 0.
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/registry.h"
#include "optim/fused_optimizer.h"
#include "optim/sgd/sgd.pb.h"
#include "optim/sgd/sgd_kernel.h"

namespace starling {
namespace {

class Sgd final : public FusedOptimizer {
 public:
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const SgdConfig& config,
                                                           const Optimizer::Context&) {
    if (config.nesterov() && config.momentum() == 0) {
      return absl::InvalidArgumentError(
          "optimizer \"sgd\": nesterov is true and momentum is 0; nesterov needs a momentum "
          "greater than 0");
    }
    return std::make_unique<Sgd>(config);
  }

  explicit Sgd(const SgdConfig& config)
      : FusedOptimizer(SettingsOf(config), StateNames(config)),
        momentum_(config.momentum()),
        nesterov_(config.nesterov()) {}

  bool has_momentum() const override { return momentum_ > 0; }

 private:
  static std::vector<std::string> StateNames(const SgdConfig& config) {
    if (config.momentum() == 0) return {};
    return {"momentum"};
  }

  void RunPass(const ops::FusedPass& pass, double lr, double weight_decay) override {
    const SgdStep step{lr, weight_decay, momentum_, nesterov_};
    if (has_momentum()) {
      SgdMomentumPass(pass, step);
    } else {
      SgdPass(pass, step);
    }
  }

  const double momentum_;
  const bool nesterov_;
};

STARLING_REGISTER_PLUGIN(Optimizer, Sgd, SgdConfig,
                         PluginFacts{"sgd", "gradient descent, momentum or Nesterov on demand",
                                     "Sutskever et al., ICML 2013; as in PyTorch", /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
