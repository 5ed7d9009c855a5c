// One fused pass of AccumAdam (two mixing sources, a copy in BF16) on the device, against a copy of
// as many bytes within it:
//
//   ./bazelw run --config=cuda //tests/gpu:fused_pass_benchmark
#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/fused_pass.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

constexpr int kRepetitions = 21;
constexpr int kCallsPerRepetition = 20;

// Milliseconds of one call, of the fastest half of the repetitions the slowest.
double Milliseconds(const std::function<void()>& call) {
  std::vector<double> times;
  for (int i = 0; i < kRepetitions; ++i) {
    CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
    const absl::Time start = absl::Now();
    for (int k = 0; k < kCallsPerRepetition; ++k) call();
    CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
    times.push_back(absl::ToDoubleMilliseconds(absl::Now() - start) / kCallsPerRepetition);
  }
  std::sort(times.begin(), times.end());
  return times[kRepetitions / 2];
}

int Main() {
  if (LinkedDevice() == nullptr) {
    std::printf("this machine has no GPU that CUDA can use\n");
    return 0;
  }
  std::printf("%s\n", LinkedDevice()->Description().c_str());
  std::printf("%-10s %12s %12s %9s %14s\n", "parameters", "pass ms", "copy ms", "ratio",
              "pass GB/s");
  for (const int64_t megabytes : {1, 25, 250}) {
    const int64_t count = megabytes * 1000000 / 4 / 32 * 32;
    std::vector<DeviceArena> arenas;
    for (int i = 0; i < 6; ++i) arenas.emplace_back(count, DType::kF32);
    const DeviceArena copy(count, DType::kBF16);
    const Buffer x = arenas[0].buffer();
    const std::vector<Source> mix = {{0.5, x}, {0.5, arenas[1].buffer()}};
    const std::vector<Buffer> state = {arenas[3].buffer(), arenas[4].buffer(), arenas[5].buffer()};
    const ops::FusedPass pass{x, arenas[2].buffer(), mix, copy.buffer(), state, {0, count}};
    const AccumAdamStep step{{0.9, 0.999, 1e-8, 1, 0, 0.001, 1.5}, 0.25};
    // Reads x, neighbour, gradient, b, m, v; writes x, b and the copy.
    const int64_t bytes = count * (6 * 4 + 2 * 4 + 2);
    const DeviceArena from(bytes / 2, DType::kByte), to(bytes / 2, DType::kByte);
    const double pass_ms = Milliseconds([&] { AccumAdamPass(pass, step); });
    const double copy_ms = Milliseconds([&] { ops::Copy(from.buffer(), to.buffer()); });
    std::printf("%7d MB %12.4f %12.4f %9.3f %14.1f\n", static_cast<int>(megabytes), pass_ms,
                copy_ms, copy_ms / pass_ms, static_cast<double>(bytes) / pass_ms / 1e6);
  }
  return 0;
}

}  // namespace
}  // namespace starling

int main() { return starling::Main(); }
