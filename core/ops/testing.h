// For tests: running the same code on every vector unit that this processor has.
#ifndef CORE_OPS_TESTING_H_
#define CORE_OPS_TESTING_H_

#include <cstdint>
#include <vector>

#include "hwy/targets.h"

namespace starling::ops {

// Calls `visit(name)` once per vector unit, "SCALAR" and all better ones, with the kernels
// dispatched to it; then restores the normal choice.
template <typename Visit>
void ForEachVectorUnit(const Visit& visit) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    visit(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace starling::ops

#endif  // CORE_OPS_TESTING_H_
