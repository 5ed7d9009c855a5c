#include "optim/adam/adam_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/adam/adam_kernel.cc"
#include "optim/adam_rule-inl.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace HWY_NAMESPACE {

template <typename V>
class AdamRule {
 public:
  static constexpr int kStates = 2;
  static constexpr int kWritten = 2;

  explicit AdamRule(const AdamStep& step) : adam_(step) {}

  void operator()(V& x, V g, V* state) const {
    V& m = state[0];
    V& v = state[1];
    x = adam_.Shrunk(x);
    g = adam_.Decayed(g, x);
    m = adam_.First(m, g);
    v = adam_.Second(v, g);
    x = adam_.Descended(x, m, v);
  }

 private:
  AdamArithmetic<V> adam_;
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace starling
HWY_AFTER_NAMESPACE();

STARLING_FUSED_PASS(AdamPass, AdamRule, AdamStep);
