// Every optimizer on the device: the bits of the host, whose golden values are tested beside them,
// step by step; and in F32, one step from F64.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/device/arena.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

class DeviceOptimizersTest : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
};

Arena ArenaAt(Place place, int64_t count, DType type) {
  auto arena = MakeArena(count, type, place);
  CHECK_OK(arena);
  return *std::move(arena);
}

// Tensors of odd sizes, with and without weight decay, in turn.
Layout OddLayout() {
  std::vector<TensorInfo> tensors;
  for (int64_t size : {1, 31, 33, 1000, 4097}) {
    TensorInfo tensor;
    tensor.name = absl::StrCat("t", size);
    tensor.shape = {size};
    tensor.decay = size % 3 == 1;
    tensors.push_back(tensor);
  }
  return MakeLayout(tensors, /*bucket_bytes=*/1 << 20, /*element_bytes=*/8);
}

// The parameters after so many steps at `place`.
std::vector<double> Train(const std::string& name, const std::string& config, DType type,
                          Place place, int steps) {
  const Layout layout = OddLayout();
  const auto optimizer = CreateFromText<Optimizer>(name, config).value();
  CHECK_OK(optimizer->Start(layout, type, place));
  const Arena x = ArenaAt(place, layout.size, type), gradient = ArenaAt(place, layout.size, type);
  std::vector<double> numbers(layout.size);
  const Arena staged(layout.size, type);
  const auto give = [&](uint64_t stream, const Arena& to) {
    Random random(StreamKey(stream, Purpose::kTest, 0, 0));
    for (double& number : numbers) number = static_cast<float>(random.Normal());
    ops::Convert(AsBuffer(absl::MakeSpan(numbers)), staged.buffer());
    ops::Copy(staged.buffer(), to.buffer());
    CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));  // `staged` is used again
  };
  give(1, x);
  for (int step = 0; step < steps; ++step) {
    give(2 + step, gradient);
    optimizer->BeginStep();
    UpdateArgs args;
    args.x = x.buffer();
    args.gradient = gradient.buffer();
    args.lr = 0.01;
    CHECK_OK(optimizer->Update(args));
  }
  ops::Copy(x.buffer(), staged.buffer());
  CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
  ops::Convert(staged.buffer(), AsBuffer(absl::MakeSpan(numbers)));
  return numbers;
}

TEST_F(DeviceOptimizersTest, HaveTheBitsOfTheHost) {
  for (const std::string& name : Registry<Optimizer>::Global().Names()) {
    for (const std::string config : {"", "weight_decay: 0.1"}) {
      for (DType type : {DType::kF32, DType::kF64}) {
        EXPECT_EQ(Train(name, config, type, Place::kDevice, 12),
                  Train(name, config, type, Place::kHost, 12))
            << name << " {" << config << "} " << DTypeName(type);
      }
    }
  }
}

TEST_F(DeviceOptimizersTest, OneStepIsThatOfF64WithinItsRounding) {
  for (const std::string& name : Registry<Optimizer>::Global().Names()) {
    const auto exact = Train(name, "weight_decay: 0.1", DType::kF64, Place::kHost, 1);
    const auto found = Train(name, "weight_decay: 0.1", DType::kF32, Place::kDevice, 1);
    double error = 0, norm = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
      error += (found[i] - exact[i]) * (found[i] - exact[i]);
      norm += exact[i] * exact[i];
    }
    EXPECT_LT(std::sqrt(error / norm), 1e-6) << name;
  }
}

}  // namespace
}  // namespace starling
