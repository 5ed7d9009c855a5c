// What the kernels of passes do with a 16-byte piece, without what they do with the rest: for
// accesses_test.py, which reads the PTX.
#include "core/device/cuda/fused_pass.cuh"
#include "core/device/elements.h"
#include "optim/accum_adam/accum_adam_rule-inl.h"
#include "optim/adam/adam_rule-inl.h"
#include "optim/sgd/sgd_rule-inl.h"

namespace starling {

template <template <typename> class Rule, typename T>
using Pass = device::FusedPass<Rule, T>;

#define STARLING_WIDE(Name, Rule)                                                 \
  extern "C" __global__ void Name##F32(                                           \
      const __grid_constant__ Pass<device_rules::Rule, float> pass, int64_t i) {  \
    pass.At<4>(i);                                                                \
  }                                                                               \
  extern "C" __global__ void Name##F64(                                           \
      const __grid_constant__ Pass<device_rules::Rule, double> pass, int64_t i) { \
    pass.At<2>(i);                                                                \
  }                                                                               \
  static_assert(true, "For requiring trailing semicolon")

STARLING_WIDE(Sgd, SgdRule);
STARLING_WIDE(SgdMomentum, SgdMomentumRule);
STARLING_WIDE(Adam, AdamRule);
STARLING_WIDE(AccumAdam, AccumAdamRule);
STARLING_WIDE(AccumAdamCommit, AccumAdamCommitRule);

}  // namespace starling
