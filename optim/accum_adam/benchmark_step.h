// For benchmarks: a worker that mixes two sources, updates by AccumAdam and copies out, step by
// step, and a way to compare how long several such things take on a machine that others use too.
#ifndef OPTIM_ACCUM_ADAM_BENCHMARK_STEP_H_
#define OPTIM_ACCUM_ADAM_BENCHMARK_STEP_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "optim/optimizer.h"

namespace starling {

inline constexpr int kBenchmarkWindow = 4;

// What is exchanged is of type `sent`. With F32, x/2 + peer/2; narrower, the difference form of
// optim/mixer.h: x + peer/2 - out/2, `out` being what was sent before.
class BenchmarkStep {
 public:
  BenchmarkStep(int64_t count, DType sent)
      : optimizer_(CreateFromText<Optimizer>("accum_adam", "window: 4").value()),
        x_(count, DType::kF32),
        gradient_(count, DType::kF32),
        peer_(count, sent),
        out_(count, sent) {
    TensorInfo tensor;
    tensor.name = "x";
    tensor.shape = {1, count};
    layout_ = MakeLayout({tensor}, /*bucket_bytes=*/1, /*element_bytes=*/4);
    CHECK_OK(optimizer_->Start(layout_, DType::kF32, Place::kHost));
    Arena start(count, DType::kF32);
    // Nothing converges to zero: subnormal numbers take other times.
    for (int64_t i = 0; i < count; ++i) {
      x().as<float>()[i] = static_cast<float>(1 + i % 7);
      start.buffer().as<float>()[i] = static_cast<float>(1 + i % 5);
      gradient().as<float>()[i] = static_cast<float>(i % 11 - 5);
    }
    ops::Convert(start.buffer(), peer());
    ops::Convert(x(), out());
  }

  Buffer x() const { return x_.buffer(); }
  Buffer gradient() const { return gradient_.buffer(); }
  Buffer peer() const { return peer_.buffer(); }
  Buffer out() const { return out_.buffer(); }

  // In one pass over memory.
  void Fused() {
    if (out().type == DType::kF32) {
      const Source mix[] = {{0.5, x()}, {0.5, peer()}};
      Update(mix, out());
    } else {
      const Source mix[] = {{1, x()}, {0.5, peer()}, {-0.5, out()}};
      Update(mix, out());
    }
  }

  // Mixes, updates and copies one after the other. F32 only.
  void Separate() {
    const Source mix[] = {{0.5, x()}, {0.5, peer()}};
    ops::WeightedSum(mix, x());
    Update({}, Buffer());
    ops::Copy(x(), out());
  }

  // Bytes that a fused step must read and write at least, on average over a window: x, g, b, m, v
  // and what came (and what was sent, if it is narrower) are read, x, b and the copy are written,
  // in the window's last step m and v too.
  int64_t BytesPerStep() const {
    const bool narrow = out().type != DType::kF32;
    const double of_f32 = 5 + 2 + 2.0 / kBenchmarkWindow;
    const int of_sent = narrow ? 3 : 2;
    return static_cast<int64_t>((4 * of_f32 + SizeOf(out().type) * of_sent) *
                                static_cast<double>(x().count));
  }

 private:
  void Update(absl::Span<const Source> mix, Buffer copy_to) {
    optimizer_->BeginStep();
    UpdateArgs args;
    args.x = x();
    args.gradient = gradient();
    args.mix = mix;
    args.copy_to = copy_to;
    args.lr = 1e-3;
    CHECK_OK(optimizer_->Update(args));
  }

  std::unique_ptr<Optimizer> optimizer_;
  Layout layout_;
  Arena x_, gradient_, peer_, out_;
};

// Seconds that each of `bodies` takes, by repetition and body. They take turns, so that what else
// the machine does meets all of them.
inline std::vector<std::vector<double>> TakeTurns(
    int repetitions, const std::vector<std::function<void()>>& bodies) {
  std::vector<std::vector<double>> seconds(repetitions);
  for (const auto& body : bodies) body();  // touches all memory
  for (auto& row : seconds) {
    for (const auto& body : bodies) {
      const auto begin = std::chrono::steady_clock::now();
      body();
      row.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  return seconds;
}

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace starling

#endif  // OPTIM_ACCUM_ADAM_BENCHMARK_STEP_H_
