// One fused pass of AccumAdam, mixing two sources and copying out, against memcpy and against the
// same work in separate passes. The argument is the size of the parameters in MB.
//
//   ./bazelw run //optim/accum_adam:accum_adam_benchmark
//
// bytes_per_second counts what must be read and written at least: per step of a window of 4 on
// average 6 values read (two sources, one of them x, and g, b, m, v) and 3.5 written (x, copy, b;
// in the last step m and v too). Memcpy moves as many bytes, half of them read, half written.
// SeparatePasses counts the same bytes, so its rate shows what fusing saves.
#include <cstring>
#include <memory>

#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "optim/create_from_text.h"
#include "optim/optimizer.h"

namespace starling {
namespace {

constexpr double kValuesPerStep = 9.5;

int64_t CountOf(const benchmark::State& state) {
  return state.range(0) * 1000 * 1000 / 4 / 32 * 32;
}

int64_t BytesPerStep(const benchmark::State& state) {
  return static_cast<int64_t>(kValuesPerStep * 4 * static_cast<double>(CountOf(state)));
}

// The memory of one worker, and its optimizer.
struct Worker {
  explicit Worker(int64_t count)
      : optimizer(CreateFromText<Optimizer>("accum_adam", "window: 4").value()),
        x(count, DType::kF32),
        gradient(count, DType::kF32),
        peer(count, DType::kF32),
        out(count, DType::kF32) {
    TensorInfo tensor;
    tensor.name = "x";
    tensor.shape = {1, count};
    layout = MakeLayout({tensor}, /*bucket_bytes=*/1, /*element_bytes=*/4);
    CHECK_OK(optimizer->Start(layout, DType::kF32));
    for (int64_t i = 0; i < count; ++i) {
      x.buffer().as<float>()[i] = static_cast<float>(i % 7);
      peer.buffer().as<float>()[i] = static_cast<float>(i % 5);
      gradient.buffer().as<float>()[i] = static_cast<float>(i % 11 - 5);
    }
  }

  void Step(absl::Span<const Source> mix, Buffer copy_to) {
    optimizer->BeginStep();
    UpdateArgs args;
    args.x = x.buffer();
    args.gradient = gradient.buffer();
    args.mix = mix;
    args.copy_to = copy_to;
    args.lr = 1e-3;
    CHECK_OK(optimizer->Update(args));
  }

  void FusedStep() {
    const Source mix[] = {{0.5, x.buffer()}, {0.5, peer.buffer()}};
    Step(mix, out.buffer());
  }

  void SeparateStep() {
    const Source mix[] = {{0.5, x.buffer()}, {0.5, peer.buffer()}};
    ops::WeightedSum(mix, x.buffer());
    Step({}, Buffer());
    ops::Copy(x.buffer(), out.buffer());
  }

  std::unique_ptr<Optimizer> optimizer;
  Layout layout;
  Arena x, gradient, peer, out;
};

void BM_Memcpy(benchmark::State& state) {
  const int64_t half = BytesPerStep(state) / 2;
  const Arena from(half, DType::kByte), to(half, DType::kByte);
  for (auto _ : state) {
    std::memcpy(to.buffer().data, from.buffer().data, half);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * BytesPerStep(state));
}

void BM_FusedPass(benchmark::State& state) {
  Worker worker(CountOf(state)), check(CountOf(state));
  for (int step = 0; step < 4; ++step) {
    worker.FusedStep();
    check.SeparateStep();
  }
  if (ops::SquaredDistance(worker.x.buffer(), check.x.buffer()) != 0 ||
      ops::SquaredDistance(worker.out.buffer(), check.x.buffer()) != 0) {
    state.SkipWithError("the fused pass gives other bits than separate passes");
  }
  for (auto _ : state) worker.FusedStep();
  state.SetBytesProcessed(state.iterations() * BytesPerStep(state));
}

void BM_SeparatePasses(benchmark::State& state) {
  Worker worker(CountOf(state));
  for (auto _ : state) worker.SeparateStep();
  state.SetBytesProcessed(state.iterations() * BytesPerStep(state));
}

BENCHMARK(BM_Memcpy)->Arg(1)->Arg(25)->Arg(250);
BENCHMARK(BM_FusedPass)->Arg(1)->Arg(25)->Arg(250);
BENCHMARK(BM_SeparatePasses)->Arg(1)->Arg(25)->Arg(250);

}  // namespace
}  // namespace starling

BENCHMARK_MAIN();
