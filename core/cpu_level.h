// The processor's vector level, fixed before any library chooses one by itself.
//
// LibTorch's results depend on the vector units that its libraries use, and Debian's OpenBLAS
// takes newer processors for an old one and runs at a quarter of its speed. So a program fixes the
// level for all of them at its start: OPENBLAS_CORETYPE, ATEN_CPU_CAPABILITY, DNNL_MAX_CPU_ISA,
// one BLAS thread per worker, and the targets of our own kernels.
#ifndef CORE_CPU_LEVEL_H_
#define CORE_CPU_LEVEL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace starling {

// Fixes the level for this process: "native" (the best of the others that the processor has),
// "avx512" or "avx2". The libraries read the environment when they are loaded, so the process sets
// it and executes itself once more; call this first in main.
// INVALID_ARGUMENT for another word, FAILED_PRECONDITION for a level that the processor lacks.
absl::Status FixCpuLevel(absl::string_view level, char** argv);

// The level that FixCpuLevel fixed, "avx512" or "avx2"; "baseline" if it did not, or if the
// processor has neither.
std::string CpuLevel();

// What to execute to start this program again: /proc/self/exe, or STARLING_LAUNCHER where a script
// that starts the program names itself there. A bundle's script does: it calls its own dynamic
// loader, which then is /proc/self/exe.
const char* OwnProgram();

}  // namespace starling

#endif  // CORE_CPU_LEVEL_H_
