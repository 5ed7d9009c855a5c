// The pass over memory of Adam.
#ifndef OPTIM_ADAM_ADAM_KERNEL_H_
#define OPTIM_ADAM_ADAM_KERNEL_H_

#include "core/ops/fused_pass.h"
#include "optim/adam_rule.h"

namespace starling {

// States m, v.
STARLING_DECLARE_FUSED_PASS(AdamPass, AdamStep);

}  // namespace starling

#endif  // OPTIM_ADAM_ADAM_KERNEL_H_
