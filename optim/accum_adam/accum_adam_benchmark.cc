// One fused pass of AccumAdam, mixing two sources and copying out, against memcpy of as many bytes
// (half of them read, half written) and against the same work in separate passes, in F32 and with
// a BF16 exchange. Each line is a size of the parameters; rates are medians over repetitions that
// take turns, ratios medians over the repetitions' ratios.
//
//   ./bazelw run //optim/accum_adam:accum_adam_benchmark
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/ops/cpu.h"
#include "core/ops/ops.h"
#include "glog/logging.h"
#include "optim/accum_adam/benchmark_step.h"

namespace starling {
namespace {

constexpr int kRepetitions = 21;

// What one of the bodies moves, in one call.
struct Timed {
  std::function<void()> body;
  double bytes;
};

Timed Windows(int windows, BenchmarkStep* step, void (BenchmarkStep::*one)()) {
  const int steps = windows * kBenchmarkWindow;
  return {[=] {
            for (int i = 0; i < steps; ++i) (step->*one)();
          },
          static_cast<double>(steps * step->BytesPerStep())};
}

void ExpectSameBits(int64_t count) {
  BenchmarkStep fused(count, DType::kF32), separate(count, DType::kF32);
  for (int i = 0; i < kBenchmarkWindow; ++i) {
    fused.Fused();
    separate.Separate();
  }
  CHECK_EQ(ops::SquaredDistance(fused.x(), separate.x()), 0);
  CHECK_EQ(ops::SquaredDistance(fused.out(), separate.x()), 0);
}

void Run(int megabytes) {
  const int64_t count = int64_t{megabytes} * 1000 * 1000 / 4 / 32 * 32;
  const int windows = megabytes < 50 ? 50 / megabytes : 1;
  BenchmarkStep f32(count, DType::kF32), bf16(count, DType::kBF16), separate(count, DType::kF32);
  const int64_t copied = f32.BytesPerStep() / 2;
  const Arena from(copied, DType::kByte), to(copied, DType::kByte);
  const int copies = windows * kBenchmarkWindow;
  const std::vector<Timed> timed = {{[&] {
                                       for (int i = 0; i < copies; ++i) {
                                         std::memcpy(to.buffer().data, from.buffer().data, copied);
                                       }
                                     },
                                     2.0 * static_cast<double>(copied * copies)},
                                    Windows(windows, &f32, &BenchmarkStep::Fused),
                                    Windows(windows, &bf16, &BenchmarkStep::Fused),
                                    Windows(windows, &separate, &BenchmarkStep::Separate)};
  std::vector<std::function<void()>> bodies;
  for (const Timed& one : timed) bodies.push_back(one.body);
  std::vector<std::vector<double>> rates(timed.size()), ratios(timed.size());
  for (const auto& seconds : TakeTurns(kRepetitions, bodies)) {
    for (size_t k = 0; k < timed.size(); ++k) {
      rates[k].push_back(timed[k].bytes / seconds[k]);
      ratios[k].push_back(rates[k].back() / rates[0].back());
    }
  }
  std::printf("%6d MB %9.1f", megabytes, Median(rates[0]) / 1e9);
  for (size_t k = 1; k < timed.size(); ++k) {
    std::printf(" %9.1f (%.2f x)", Median(rates[k]) / 1e9, Median(ratios[k]));
  }
  std::printf("\n");
}

}  // namespace
}  // namespace starling

int main() {
  std::printf("%s, medians of %d repetitions, GB/s (x memcpy)\n\n",
              std::string(starling::ops::VectorUnit()).c_str(), starling::kRepetitions);
  std::printf("parameters   memcpy        fused F32     fused, BF16 sent  separate passes\n");
  starling::ExpectSameBits(1 << 18);
  for (int megabytes : {1, 25, 250}) starling::Run(megabytes);
}
