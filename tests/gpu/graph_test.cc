// Passes in CUDA graphs.
#include <cuda_runtime_api.h>

#include <vector>

#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/fused_pass.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/adam/adam_kernel.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

// A captured pass allocates nothing, synchronizes nothing and starts the same kernels each time.
TEST(Graph, HoldsAPass) {
  SKIP_WITHOUT_DEVICE();
  constexpr int64_t kCount = 32 * 1001;
  const Twins x = RandomTwins(kCount, DType::kF32, 1),
              gradient = RandomTwins(kCount, DType::kF32, 2);
  const Twins state[] = {RandomTwins(kCount, DType::kF32, 3),
                         RandomTwins(kCount, DType::kF32, 4, /*positive=*/true)};
  const auto pass = [&](bool on_host) {
    const auto side = [&](const Twins& twins) {
      return on_host ? twins.host.buffer() : twins.device.buffer();
    };
    const std::vector<Source> mix = {{0.5, side(x)}, {0.5, side(gradient)}};
    const std::vector<Buffer> buffers = {side(state[0]), side(state[1])};
    AdamPass({side(x), side(gradient), mix, {}, buffers, {0, kCount}},
             AdamStep{0.9, 0.999, 1e-8, 0.999, 0.01, 0.003, 1.7});
  };
  auto queue = OwnedQueue::New();
  CHECK_OK(queue);
  CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));  // the numbers are there
  const QueueScope scope(queue->get());
  const auto stream = reinterpret_cast<cudaStream_t>(queue->get());
  cudaGraph_t graph;
  cudaGraphExec_t captured;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  pass(/*on_host=*/false);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  ASSERT_EQ(cudaGraphInstantiate(&captured, graph, 0), cudaSuccess);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(cudaGraphLaunch(captured, stream), cudaSuccess);
    pass(/*on_host=*/true);
  }
  ExpectSameBits(x, "x");
  ExpectSameBits(state[1], "state");
  cudaGraphExecDestroy(captured);
  cudaGraphDestroy(graph);
}

}  // namespace
}  // namespace starling
