// The passes of all optimizers as kernels, for core/device/cuda/on_host.
#include "core/device/cuda/fused_pass.cuh"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/accum_adam/accum_adam_rule-inl.h"
#include "optim/adam/adam_kernel.h"
#include "optim/adam/adam_rule-inl.h"
#include "optim/sgd/sgd_kernel.h"
#include "optim/sgd/sgd_rule-inl.h"

STARLING_DEVICE_PASS(SgdPass, SgdRule, SgdStep);
STARLING_DEVICE_PASS(SgdMomentumPass, SgdMomentumRule, SgdStep);
STARLING_DEVICE_PASS(AdamPass, AdamRule, AdamStep);
STARLING_DEVICE_PASS(AccumAdamPass, AccumAdamRule, AccumAdamStep);
STARLING_DEVICE_PASS(AccumAdamCommitPass, AccumAdamCommitRule, AccumAdamStep);
