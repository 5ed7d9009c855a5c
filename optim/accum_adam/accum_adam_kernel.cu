#include "core/device/cuda/fused_pass.cuh"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/accum_adam/accum_adam_rule-inl.h"

STARLING_DEVICE_PASS(AccumAdamPass, AccumAdamRule, AccumAdamStep);
STARLING_DEVICE_PASS(AccumAdamCommitPass, AccumAdamCommitRule, AccumAdamStep);
