#include "optim/sgd/sgd_kernel.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optim/sgd/sgd_kernel.cc"
#include "optim/sgd/sgd_rule-inl.h"

STARLING_FUSED_PASS(SgdPass, SgdRule, SgdStep);
STARLING_FUSED_PASS(SgdMomentumPass, SgdMomentumRule, SgdStep);
