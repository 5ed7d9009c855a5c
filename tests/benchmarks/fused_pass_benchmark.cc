// The fused pass (mixing two sources, AccumAdam, copy-out; F32) against the same update written
// with LibTorch's tensor operations, on one thread. Times are medians over repetitions that take
// turns, the ratio is the median of the repetitions' ratios.
//
//   ./bazelw run //tests/benchmarks:fused_pass_benchmark
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/ops/cpu.h"
#include "core/ops/ops.h"
#include "glog/logging.h"
#include "models/torch/accum_adam_tensors.h"
#include "optim/accum_adam/benchmark_step.h"

namespace starling {
namespace {

constexpr int kRepetitions = 11;

void Run(int megabytes) {
  const int64_t count = int64_t{megabytes} * 1000 * 1000 / 4 / 32 * 32;
  const int steps = (megabytes < 50 ? 50 / megabytes : 1) * kBenchmarkWindow;
  BenchmarkStep ours(count, DType::kF32), theirs(count, DType::kF32);
  AccumAdamTensors tensors(theirs.x(), theirs.gradient(), theirs.peer(), theirs.out());
  std::vector<double> fused, separate, ratios;
  for (const auto& seconds : TakeTurns(kRepetitions, {[&] {
                                                        for (int i = 0; i < steps; ++i)
                                                          ours.Fused();
                                                      },
                                                      [&] {
                                                        for (int i = 0; i < steps; ++i) {
                                                          tensors.Step();
                                                        }
                                                      }})) {
    fused.push_back(seconds[0] / steps * 1e3);
    separate.push_back(seconds[1] / steps * 1e3);
    ratios.push_back(seconds[1] / seconds[0]);
  }
  const double difference =
      std::sqrt(ops::SquaredDistance(ours.out(), theirs.out()) / ops::Dot(ours.out(), ours.out()));
  CHECK_LT(difference, 1e-4) << "the two do not compute the same";
  std::printf("%6d MB %11.3f %11.3f %9.2f x\n", megabytes, Median(fused), Median(separate),
              Median(ratios));
}

}  // namespace
}  // namespace starling

int main() {
  std::printf("%s, medians of %d repetitions, ms per step\n\n",
              std::string(starling::ops::VectorUnit()).c_str(), starling::kRepetitions);
  std::printf("parameters        fused    LibTorch     ratio\n");
  for (int megabytes : {1, 25, 250}) starling::Run(megabytes);
}
