#include "optim/accum_adam/accum_adam_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/accum_adam/accum_adam_kernel.cc"
#include "optim/adam_rule-inl.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace HWY_NAMESPACE {

template <typename V>
class AccumAdamRule {
 public:
  static constexpr int kStates = 3;
  static constexpr int kWritten = 1;

  explicit AccumAdamRule(const AccumAdamStep& step) : adam_(step.adam), share_(step.share) {}

  void operator()(V& x, V g, V* state) const {
    V& b = state[0];
    const V& m = state[1];
    const V& v = state[2];
    x = adam_.Shrunk(x);
    g = adam_.Decayed(g, x);
    b = b + share_ * g;
    x = adam_.Descended(x, adam_.First(m, g), adam_.Second(v, g));
  }

 private:
  AdamArithmetic<V> adam_;
  V share_;
};

template <typename V>
class AccumAdamCommitRule {
 public:
  static constexpr int kStates = 3;
  static constexpr int kWritten = 3;

  explicit AccumAdamCommitRule(const AccumAdamStep& step) : step_(step), adam_(step.adam) {}

  void operator()(V& x, V g, V* state) const {
    step_(x, g, state);
    V& b = state[0];
    V& m = state[1];
    V& v = state[2];
    m = adam_.First(m, b);
    v = adam_.Second(v, b);
    b = V(0.0);
  }

 private:
  AccumAdamRule<V> step_;
  AdamArithmetic<V> adam_;
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace starling
HWY_AFTER_NAMESPACE();

STARLING_FUSED_PASS(AccumAdamPass, AccumAdamRule, AccumAdamStep);
STARLING_FUSED_PASS(AccumAdamCommitPass, AccumAdamCommitRule, AccumAdamStep);
