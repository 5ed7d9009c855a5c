// The arithmetic of optim/adam_rule.h on elements. Included by *_rule-inl.h files
// only; see core/ops/rule-inl.h.

#include "core/ops/rule-inl.h"
#include "optim/adam_rule.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(OPTIM_ADAM_RULE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTIM_ADAM_RULE_INL_H_
#undef OPTIM_ADAM_RULE_INL_H_
#else
#define OPTIM_ADAM_RULE_INL_H_
#endif

STARLING_RULES_BEGIN

template <typename V>
class AdamArithmetic {
 public:
  STARLING_RULE explicit AdamArithmetic(const AdamStep& step)
      : beta1_(step.beta1),
        one_minus_beta1_(1 - step.beta1),
        beta2_(step.beta2),
        one_minus_beta2_(1 - step.beta2),
        eps_(step.eps),
        shrink_(step.shrink),
        l2_(step.l2),
        step_size_(step.step_size),
        root_second_(step.root_second) {}

  STARLING_RULE V Shrunk(V x) const { return shrink_ * x; }
  STARLING_RULE V Decayed(V g, V x) const { return g + l2_ * x; }
  STARLING_RULE V First(V m, V g) const { return beta1_ * m + one_minus_beta1_ * g; }
  STARLING_RULE V Second(V v, V g) const { return beta2_ * v + one_minus_beta2_ * (g * g); }
  STARLING_RULE V Descended(V x, V m, V v) const {
    using ops::Sqrt;
    return x - step_size_ * (m / (Sqrt(v) * root_second_ + eps_));
  }

 private:
  V beta1_, one_minus_beta1_, beta2_, one_minus_beta2_, eps_;
  V shrink_, l2_, step_size_, root_second_;
};

STARLING_RULES_END

#endif  // OPTIM_ADAM_RULE_INL_H_
