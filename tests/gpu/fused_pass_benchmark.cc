// Fused passes on the device, each against a copy within it that moves as many bytes:
//
//   ./bazelw run --config=cuda //tests/gpu:fused_pass_benchmark
//
// With one source a pass is the optimizer's step alone; with two it mixes in a neighbour's
// parameters and leaves a copy in BF16 to send. torch_optimizers_benchmark.py prints the same table
// of PyTorch's.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/fused_pass.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "optim/accum_adam/accum_adam_kernel.h"
#include "optim/adam/adam_kernel.h"
#include "optim/sgd/sgd_kernel.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

constexpr int kRepetitions = 21;
constexpr int kCallsPerRepetition = 20;

// Milliseconds of one call, the median of all repetitions.
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

struct Optimizer {
  std::string name;
  int states, written;  // that it reads and writes
  std::function<void(const ops::FusedPass&)> run;
};

std::vector<Optimizer> Optimizers() {
  const SgdStep sgd{0.1, 1e-4, 0.9, false};
  const AdamStep adam{0.9, 0.999, 1e-8, 1, 0, 0.001, 1.5};
  const AccumAdamStep accum_adam{adam, 0.25};
  return {
      {"sgd", 0, 0, [=](const auto& pass) { SgdPass(pass, sgd); }},
      {"sgd, momentum", 1, 1, [=](const auto& pass) { SgdMomentumPass(pass, sgd); }},
      {"adam", 2, 2, [=](const auto& pass) { AdamPass(pass, adam); }},
      {"accum_adam", 3, 1, [=](const auto& pass) { AccumAdamPass(pass, accum_adam); }},
      {"accum_adam, last", 3, 3, [=](const auto& pass) { AccumAdamCommitPass(pass, accum_adam); }},
  };
}

void PrintRow(const Optimizer& optimizer, int sources, int64_t megabytes) {
  const int64_t count = megabytes * 1000000 / 4 / 32 * 32;
  std::vector<DeviceArena> arenas;
  for (int i = 0; i < 6; ++i) arenas.emplace_back(count, DType::kF32);
  for (const DeviceArena& arena : arenas) ops::Zero(arena.buffer());  // numbers, and small ones
  const DeviceArena copy(count, DType::kBF16);
  const Buffer x = arenas[0].buffer();
  std::vector<Source> mix = {{1.0, x}};
  if (sources == 2) mix = {{0.5, x}, {0.5, arenas[1].buffer()}};
  std::vector<Buffer> state;
  for (int k = 0; k < optimizer.states; ++k) state.push_back(arenas[3 + k].buffer());
  const ops::FusedPass pass{x,     arenas[2].buffer(), mix, sources == 2 ? copy.buffer() : Buffer(),
                            state, {0, count}};
  // Sources, gradient and states are read, x and some of the states written.
  const int64_t values = sources + 1 + optimizer.states + 1 + optimizer.written;
  const int64_t bytes = count * (4 * values + (sources == 2 ? 2 : 0));
  const DeviceArena from(bytes / 2, DType::kByte), to(bytes / 2, DType::kByte);
  const double pass_ms = Milliseconds([&] { optimizer.run(pass); });
  const double copy_ms = Milliseconds([&] { ops::Copy(from.buffer(), to.buffer()); });
  std::printf("%-24s %8d %6d MB %9.4f %9.4f %9.1f %6.2f\n", optimizer.name.c_str(), sources,
              static_cast<int>(megabytes), pass_ms, copy_ms,
              static_cast<double>(bytes) / pass_ms / 1e6, copy_ms / pass_ms);
}

int Main() {
  if (LinkedDevice() == nullptr) {
    std::printf("not run: this machine has no GPU that CUDA can use\n");
    return 0;
  }
  std::printf("%s\n", LinkedDevice()->Description().c_str());
  std::printf("%-24s %8s %9s %9s %9s %9s %6s\n", "optimizer", "sources", "size", "ms", "copy ms",
              "GB/s", "ratio");
  for (const Optimizer& optimizer : Optimizers()) {
    for (const int sources : {1, 2}) {
      for (const int64_t megabytes : {1, 25, 250}) PrintRow(optimizer, sources, megabytes);
    }
  }
  return 0;
}

}  // namespace
}  // namespace starling

int main() { return starling::Main(); }
