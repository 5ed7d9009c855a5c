#include "optim/sgd/sgd_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/sgd/sgd_kernel.cc"
#include "core/ops/fused_pass-inl.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace HWY_NAMESPACE {

template <typename V>
class SgdRule {
 public:
  static constexpr int kStates = 0;
  static constexpr int kWritten = 0;

  explicit SgdRule(const SgdStep& step) : lr_(step.lr), weight_decay_(step.weight_decay) {}

  void operator()(V& x, V g, V*) const { x = x - lr_ * (g + weight_decay_ * x); }

 private:
  V lr_, weight_decay_;
};

template <typename V>
class SgdMomentumRule {
 public:
  static constexpr int kStates = 1;
  static constexpr int kWritten = 1;

  explicit SgdMomentumRule(const SgdStep& step)
      : lr_(step.lr),
        weight_decay_(step.weight_decay),
        momentum_(step.momentum),
        nesterov_(step.nesterov) {}

  void operator()(V& x, V g, V* state) const {
    V& velocity = state[0];
    g = g + weight_decay_ * x;
    velocity = momentum_ * velocity + g;
    x = x - lr_ * (nesterov_ ? g + momentum_ * velocity : velocity);
  }

 private:
  V lr_, weight_decay_, momentum_;
  bool nesterov_;
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace starling
HWY_AFTER_NAMESPACE();

STARLING_FUSED_PASS(SgdPass, SgdRule, SgdStep);
STARLING_FUSED_PASS(SgdMomentumPass, SgdMomentumRule, SgdStep);
