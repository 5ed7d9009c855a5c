#include "core/device/cuda/fused_pass.cuh"
#include "optim/sgd/sgd_kernel.h"
#include "optim/sgd/sgd_rule-inl.h"

STARLING_DEVICE_PASS(SgdPass, SgdRule, SgdStep);
STARLING_DEVICE_PASS(SgdMomentumPass, SgdMomentumRule, SgdStep);
