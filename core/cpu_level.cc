#include "core/cpu_level.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace starling {
namespace {

constexpr char kMarker[] = "STARLING_CPU_LEVEL";  // set in the process that was executed again

bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

}  // namespace

absl::Status FixCpuLevel(absl::string_view level, char** argv) {
  std::string chosen(level);
  if (level == "native") chosen = HasAvx512() ? "avx512" : HasAvx2() ? "avx2" : "baseline";
  const bool avx512 = chosen == "avx512";
  if (level != "native" && !avx512 && chosen != "avx2") {
    return absl::InvalidArgumentError(
        absl::StrCat("--cpu=", level, ": it must be native, avx512 or avx2"));
  }
  if ((avx512 && !HasAvx512()) || (chosen == "avx2" && !HasAvx2())) {
    return absl::FailedPreconditionError(
        absl::StrCat("--cpu=", level, ": this processor has no ",
                     avx512 ? "AVX-512; use avx2 or native" : "AVX2; use native"));
  }
  const char* fixed = std::getenv(kMarker);
  if (fixed != nullptr && chosen == fixed) return absl::OkStatus();
  setenv(kMarker, chosen.c_str(), 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  if (chosen != "baseline") {
    setenv("OPENBLAS_CORETYPE", avx512 ? "SkylakeX" : "Haswell", 1);
    setenv("ATEN_CPU_CAPABILITY", avx512 ? "avx512" : "avx2", 1);
    setenv("DNNL_MAX_CPU_ISA", avx512 ? "AVX512_CORE" : "AVX2", 1);
  }
  execv(OwnProgram(), argv);
  return absl::InternalError(
      absl::StrCat("cannot execute this program again to fix --cpu: ", std::strerror(errno)));
}

const char* OwnProgram() {
  const char* launcher = std::getenv("STARLING_LAUNCHER");
  return launcher == nullptr ? "/proc/self/exe" : launcher;
}

std::string CpuLevel() {
  const char* fixed = std::getenv(kMarker);
  return fixed == nullptr ? "baseline" : fixed;
}

}  // namespace starling
