// The passes over memory of AccumAdam (see accum_adam.cc for the equations).
#ifndef OPTIM_ACCUM_ADAM_ACCUM_ADAM_KERNEL_H_
#define OPTIM_ACCUM_ADAM_ACCUM_ADAM_KERNEL_H_

#include "core/ops/fused_pass.h"
#include "optim/adam_rule.h"

namespace starling {

struct AccumAdamStep {
  AdamStep adam;
  double share;  // of this gradient in the window's mean: 1 / window
};

// States b, m, v. A step inside a window: writes b only.
STARLING_DECLARE_FUSED_PASS(AccumAdamPass, AccumAdamStep);

// States b, m, v. The last step of a window: writes all three.
STARLING_DECLARE_FUSED_PASS(AccumAdamCommitPass, AccumAdamStep);

}  // namespace starling

#endif  // OPTIM_ACCUM_ADAM_ACCUM_ADAM_KERNEL_H_
