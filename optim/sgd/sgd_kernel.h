// The passes over memory of SGD (see sgd.cc for the equations).
#ifndef OPTIM_SGD_SGD_KERNEL_H_
#define OPTIM_SGD_SGD_KERNEL_H_

#include "core/ops/fused_pass.h"

namespace starling {

struct SgdStep {
  double lr, weight_decay, momentum;
  bool nesterov;
};

// Without momentum: no state.
STARLING_DECLARE_FUSED_PASS(SgdPass, SgdStep);

// With momentum: one state, the velocity.
STARLING_DECLARE_FUSED_PASS(SgdMomentumPass, SgdStep);

}  // namespace starling

#endif  // OPTIM_SGD_SGD_KERNEL_H_
