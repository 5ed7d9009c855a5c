#include "core/device/cuda/fused_pass.cuh"
#include "optim/adam/adam_kernel.h"
#include "optim/adam/adam_rule-inl.h"

STARLING_DEVICE_PASS(AdamPass, AdamRule, AdamStep);
