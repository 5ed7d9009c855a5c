// The rules of SGD (see sgd.cc for the equations).
#include "core/ops/rule-inl.h"
#include "optim/sgd/sgd_kernel.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(OPTIM_SGD_SGD_RULE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTIM_SGD_SGD_RULE_INL_H_
#undef OPTIM_SGD_SGD_RULE_INL_H_
#else
#define OPTIM_SGD_SGD_RULE_INL_H_
#endif

STARLING_RULES_BEGIN

template <typename V>
class SgdRule {
 public:
  static constexpr int kStates = 0;
  static constexpr int kWritten = 0;

  STARLING_RULE explicit SgdRule(const SgdStep& step)
      : lr_(step.lr), weight_decay_(step.weight_decay) {}

  STARLING_RULE void operator()(V& x, V g, V*) const { x = x - lr_ * (g + weight_decay_ * x); }

 private:
  V lr_, weight_decay_;
};

template <typename V>
class SgdMomentumRule {
 public:
  static constexpr int kStates = 1;
  static constexpr int kWritten = 1;

  STARLING_RULE explicit SgdMomentumRule(const SgdStep& step)
      : lr_(step.lr),
        weight_decay_(step.weight_decay),
        momentum_(step.momentum),
        nesterov_(step.nesterov) {}

  STARLING_RULE void operator()(V& x, V g, V* state) const {
    V& velocity = state[0];
    g = g + weight_decay_ * x;
    velocity = momentum_ * velocity + g;
    x = x - lr_ * (nesterov_ ? g + momentum_ * velocity : velocity);
  }

 private:
  V lr_, weight_decay_, momentum_;
  bool nesterov_;
};

STARLING_RULES_END

#endif  // OPTIM_SGD_SGD_RULE_INL_H_
