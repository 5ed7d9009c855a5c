#include "optim/accum_adam/accum_adam_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/accum_adam/accum_adam_kernel.cc"
#include "optim/accum_adam/accum_adam_rule-inl.h"

STARLING_FUSED_PASS(AccumAdamPass, AccumAdamRule, AccumAdamStep);
STARLING_FUSED_PASS(AccumAdamCommitPass, AccumAdamCommitRule, AccumAdamStep);
