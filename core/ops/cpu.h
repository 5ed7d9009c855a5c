// Which vector unit of the processor our kernels use. The best one by default; a lower one on
// demand, so that a run can be repeated on a lesser machine together with libraries whose results,
// unlike ours, depend on the unit.
#ifndef CORE_OPS_CPU_H_
#define CORE_OPS_CPU_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace starling::ops {

enum class CpuLevel { kNative, kAvx512, kAvx2 };

// Restricts all kernels of this process to vector units up to `level`; kNative lifts the
// restriction. Call it before other threads compute. FAILED_PRECONDITION, with nothing changed,
// if the processor (or its architecture) does not reach `level`.
absl::Status SetCpuLevel(CpuLevel level);

// The vector unit that kernels run on now: "AVX-512", "AVX2", "SSE4", "SSSE3", "NEON", "scalar".
absl::string_view VectorUnit();

}  // namespace starling::ops

#endif  // CORE_OPS_CPU_H_
