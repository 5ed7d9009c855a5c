// The rules of AccumAdam (see accum_adam.cc for the equations).
#include "core/ops/rule-inl.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/adam_rule-inl.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(OPTIM_ACCUM_ADAM_ACCUM_ADAM_RULE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTIM_ACCUM_ADAM_ACCUM_ADAM_RULE_INL_H_
#undef OPTIM_ACCUM_ADAM_ACCUM_ADAM_RULE_INL_H_
#else
#define OPTIM_ACCUM_ADAM_ACCUM_ADAM_RULE_INL_H_
#endif

STARLING_RULES_BEGIN

template <typename V>
class AccumAdamRule {
 public:
  static constexpr int kStates = 3;
  static constexpr int kWritten = 1;

  STARLING_RULE explicit AccumAdamRule(const AccumAdamStep& step)
      : adam_(step.adam), share_(step.share) {}

  STARLING_RULE void operator()(V& x, V g, V* state) const {
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

  STARLING_RULE explicit AccumAdamCommitRule(const AccumAdamStep& step)
      : step_(step), adam_(step.adam) {}

  STARLING_RULE void operator()(V& x, V g, V* state) const {
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

STARLING_RULES_END

#endif  // OPTIM_ACCUM_ADAM_ACCUM_ADAM_RULE_INL_H_
