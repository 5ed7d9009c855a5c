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
void SgdPass(const ops::FusedPass& pass, const SgdStep& step);

// With momentum: one state, the velocity.
void SgdMomentumPass(const ops::FusedPass& pass, const SgdStep& step);

}  // namespace starling

#endif  // OPTIM_SGD_SGD_KERNEL_H_
