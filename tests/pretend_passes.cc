// The passes of all optimizers for core/device/pretend_device.h.
#include "core/device/pretend_device.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/adam/adam_kernel.h"
#include "optim/sgd/sgd_kernel.h"

namespace starling {

STARLING_PRETEND_PASS(SgdPass, SgdStep);
STARLING_PRETEND_PASS(SgdMomentumPass, SgdStep);
STARLING_PRETEND_PASS(AdamPass, AdamStep);
STARLING_PRETEND_PASS(AccumAdamPass, AccumAdamStep);
STARLING_PRETEND_PASS(AccumAdamCommitPass, AccumAdamStep);

}  // namespace starling
