#include "optim/adam/adam_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/adam/adam_kernel.cc"
#include "optim/adam/adam_rule-inl.h"

STARLING_FUSED_PASS(AdamPass, AdamRule, AdamStep);
