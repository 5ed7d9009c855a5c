// The rule of Adam (see optim/adam_rule.h for the equations).
#include "core/ops/rule-inl.h"
#include "optim/adam/adam_kernel.h"
#include "optim/adam_rule-inl.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(OPTIM_ADAM_ADAM_RULE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTIM_ADAM_ADAM_RULE_INL_H_
#undef OPTIM_ADAM_ADAM_RULE_INL_H_
#else
#define OPTIM_ADAM_ADAM_RULE_INL_H_
#endif

STARLING_RULES_BEGIN

template <typename V>
class AdamRule {
 public:
  static constexpr int kStates = 2;
  static constexpr int kWritten = 2;

  STARLING_RULE explicit AdamRule(const AdamStep& step) : adam_(step) {}

  STARLING_RULE void operator()(V& x, V g, V* state) const {
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

STARLING_RULES_END

#endif  // OPTIM_ADAM_ADAM_RULE_INL_H_
