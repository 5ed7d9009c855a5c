// Every registered optimizer, with the defaults of its config.
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "optim/optimizer_conformance.h"

namespace starling {
namespace {

std::vector<OptimizerCase> Cases() {
  std::vector<OptimizerCase> cases;
  for (const std::string& name : Registry<Optimizer>::Global().Names()) {
    cases.push_back({name, name, ""});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, OptimizerConformanceTest, testing::ValuesIn(Cases()),
                         CaseName);

// x after 20 steps with the gradients of a stream, as bytes.
template <typename T>
std::vector<T> Trajectory(const std::string& name, const std::string& config) {
  TensorInfo tensor;
  tensor.name = "x";
  tensor.shape = {10, 10};
  const Layout layout = MakeLayout({tensor}, /*bucket_bytes=*/1, /*element_bytes=*/4);
  const auto optimizer = CreateFromText<Optimizer>(name, config).value();
  CHECK_OK(optimizer->Start(layout, DTypeOf<T>::value, Place::kHost));
  std::vector<T> x(layout.size, T(0.5)), gradient(layout.size);
  Random random(StreamKey(7, Purpose::kTest, 0, 0));
  for (int step = 0; step < 20; ++step) {
    for (T& g : gradient) g = static_cast<T>(random.Normal());
    optimizer->BeginStep();
    UpdateArgs args;
    args.x = AsBuffer(absl::MakeSpan(x));
    args.gradient = AsBuffer(absl::MakeSpan(gradient));
    args.lr = 0.01;
    CHECK_OK(optimizer->Update(args));
  }
  return x;
}

TEST(AllOptimizersTest, AccumAdamWithWindowOneIsAdamBitForBit) {
  const std::string decay = "weight_decay: 0.1 ";
  for (const auto& [accum, adam] :
       {std::pair<std::string, std::string>{"accum_adam", "adam"}, {"accum_adamw", "adamw"}}) {
    EXPECT_EQ(Trajectory<float>(accum, decay + "window: 1"), Trajectory<float>(adam, decay));
    EXPECT_EQ(Trajectory<double>(accum, decay + "window: 1"), Trajectory<double>(adam, decay));
  }
}

TEST(AllOptimizersTest, LearningRatesArePositive) {
  for (const std::string& name : Registry<Optimizer>::Global().Names()) {
    EXPECT_GT(CreateFromText<Optimizer>(name, "").value()->lr(), 0) << name;
  }
}

}  // namespace
}  // namespace starling
