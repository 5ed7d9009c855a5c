// Around rules of fused passes (fused_pass.h), so that they are written once and compile for every
// vector unit of the host and, by nvcc, for the device:
//
//   #include "core/ops/rule-inl.h"
//   #include "optim/descent/descent_kernel.h"
//
//   // The guard is a toggle, because this is included once per vector unit.
//   #if defined(DESCENT_RULE_INL_H_) == defined(HWY_TARGET_TOGGLE)
//   ...
//   STARLING_RULES_BEGIN
//   template <typename V>
//   class DescentRule {
//     ...
//     STARLING_RULE void operator()(V& x, V g, V* state) const { ... }
//   };
//   STARLING_RULES_END

#ifdef STARLING_RULES_FOR_DEVICE  // by core/device/cuda/fused_pass.cuh

#include "core/device/number.h"

#ifndef STARLING_RULE
#define STARLING_RULE STARLING_HOST_DEVICE
#define STARLING_RULES_BEGIN \
  namespace starling {       \
  namespace device_rules {
#define STARLING_RULES_END \
  }                        \
  }
#endif

#else

#include "core/ops/fused_pass-inl.h"

#ifndef STARLING_RULE
#define STARLING_RULE HWY_INLINE
// The vector unit, and with it the namespace, changes from one inclusion to the next.
#define STARLING_RULES_BEGIN \
  HWY_BEFORE_NAMESPACE();    \
  namespace starling {       \
  namespace HWY_NAMESPACE {
#define STARLING_RULES_END \
  }                        \
  }                        \
  HWY_AFTER_NAMESPACE();
#endif

#endif  // STARLING_RULES_FOR_DEVICE
