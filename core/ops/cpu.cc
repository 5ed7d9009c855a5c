#include "core/ops/cpu.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "hwy/targets.h"

namespace starling::ops {
namespace {

// Highway's name for the AVX-512 of Skylake servers is AVX3. A lower bit is a better unit.
int64_t TargetOf(CpuLevel level) { return level == CpuLevel::kAvx512 ? HWY_AVX3 : HWY_AVX2; }

absl::string_view NameOf(int64_t target) {
  switch (target) {
    case HWY_AVX3:
      return "AVX-512";
    case HWY_SCALAR:
      return "scalar";
    default:
      return hwy::TargetName(target);
  }
}

// The best unit that this processor has and our kernels are compiled for.
int64_t BestTarget() {
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets & -targets;
}

}  // namespace

absl::Status SetCpuLevel(CpuLevel level) {
  if (level == CpuLevel::kNative) {
    hwy::DisableTargets(0);
    return absl::OkStatus();
  }
  const int64_t target = TargetOf(level);
  hwy::DisableTargets(target - 1);
  if (BestTarget() == target) return absl::OkStatus();
  hwy::DisableTargets(0);
  return absl::FailedPreconditionError(absl::StrCat("this processor has no ", NameOf(target),
                                                    "; its best vector unit is ", VectorUnit()));
}

absl::string_view VectorUnit() { return NameOf(BestTarget()); }

}  // namespace starling::ops
