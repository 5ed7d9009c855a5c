// The pass over memory of Adam.
#ifndef OPTIM_ADAM_ADAM_KERNEL_H_
#define OPTIM_ADAM_ADAM_KERNEL_H_

#include "core/ops/fused_pass.h"
#include "optim/adam_rule.h"

namespace starling {

// States m, v.
void AdamPass(const ops::FusedPass& pass, const AdamStep& step);

}  // namespace starling

#endif  // OPTIM_ADAM_ADAM_KERNEL_H_
