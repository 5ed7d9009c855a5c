#include "models/torch/dropout.h"

#include <cmath>
#include <cstdint>
#include <thread>

#include "core/random/random.h"
#include "gtest/gtest.h"
#include "torch/torch.h"

namespace starling {
namespace {

TEST(DropoutTest, TakesWordIOfItsStreamForElementI) {
  const torch::Tensor y = Dropout(torch::ones({3, 5, 150}), 0.25, /*stream=*/11, /*place=*/2, true);
  Random random(StreamKey(11, Purpose::kDropout, 0, 2));
  const torch::Tensor flat = y.flatten();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const float expected = random.Next32() < 1u << 30 ? 0.0f : static_cast<float>(4.0 / 3);
    ASSERT_EQ(flat[i].item<float>(), expected) << i;
  }
}

// Five standard deviations of the share that is dropped.
TEST(DropoutTest, DropsAShareOfPAndKeepsTheMean) {
  constexpr int64_t kCount = 1 << 20;
  for (const double p : {0.1, 0.5, 0.9}) {
    const torch::Tensor y = Dropout(torch::ones(kCount, torch::kFloat64), p, 1, 0, true);
    const double tolerance = 5 * std::sqrt(p * (1 - p) / kCount);
    EXPECT_NEAR(y.eq(0).to(torch::kFloat64).mean().item<double>(), p, tolerance);
    EXPECT_NEAR(y.mean().item<double>(), 1, tolerance / (1 - p));
  }
}

TEST(DropoutTest, DependsOnStreamAndPlaceAlone) {
  const torch::Tensor x = torch::ones({64, 33});
  const torch::Tensor y = Dropout(x, 0.5, 1, 0, true);
  torch::Tensor on_thread;
  std::thread([&] { on_thread = Dropout(x, 0.5, 1, 0, true); }).join();
  EXPECT_TRUE(on_thread.equal(y));
  EXPECT_TRUE(Dropout(x.to(torch::kFloat64), 0.5, 1, 0, true).equal(y.to(torch::kFloat64)));
  EXPECT_TRUE(Dropout(torch::ones({33, 64}).t(), 0.5, 1, 0, true).equal(y));
  EXPECT_FALSE(Dropout(x, 0.5, 2, 0, true).equal(y));
  EXPECT_FALSE(Dropout(x, 0.5, 1, 1, true).equal(y));
}

TEST(DropoutTest, GradientIsMaskedAlike) {
  torch::Tensor x = torch::linspace(1, 2, 1000, torch::kFloat64).requires_grad_();
  const torch::Tensor y = Dropout(x, 0.3, 1, 0, true);
  const torch::Tensor weights = torch::linspace(3, 4, 1000, torch::kFloat64);
  (y * weights).sum().backward();
  EXPECT_TRUE(torch::allclose(x.grad(), y.detach() / x.detach() * weights, 1e-12));
}

TEST(DropoutTest, IsNothingInEvaluationAndForZero) {
  const torch::Tensor x = torch::ones(10);
  EXPECT_TRUE(Dropout(x, 0.5, 1, 0, /*training=*/false).is_same(x));
  EXPECT_TRUE(Dropout(x, 0, 1, 0, true).is_same(x));
}

}  // namespace
}  // namespace starling
