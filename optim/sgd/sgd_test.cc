#include <vector>

#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "optim/optimizer_conformance.h"

namespace starling {
namespace {

// PyTorch's documentation of torch.optim.SGD, line by line.
ReferenceRule Reference(double momentum, bool nesterov, double weight_decay, bool decay_all) {
  return [=](const ReferenceStep& s, ReferenceState& state) {
    double& buffer = state[0];
    double g = s.gradient;
    if (s.decays || decay_all) g += weight_decay * s.x;
    if (momentum != 0) {
      buffer = s.step > 1 ? momentum * buffer + g : g;
      g = nesterov ? g + momentum * buffer : buffer;
    }
    return s.x - s.lr * g;
  };
}

std::vector<OptimizerCase> Cases() {
  return {
      {"Plain", "sgd", "", Reference(0, false, 0, false)},
      {"Decay", "sgd", "weight_decay: 0.1", Reference(0, false, 0.1, false)},
      {"DecayAll", "sgd", "weight_decay: 0.1 decay_all: true", Reference(0, false, 0.1, true),
       /*spares_biases=*/false},
      {"Momentum", "sgd", "momentum: 0.9 weight_decay: 0.01", Reference(0.9, false, 0.01, false)},
      {"Nesterov", "sgd", "momentum: 0.9 nesterov: true weight_decay: 0.01",
       Reference(0.9, true, 0.01, false)},
  };
}

INSTANTIATE_TEST_SUITE_P(Sgd, OptimizerConformanceTest, testing::ValuesIn(Cases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Sgd, OptimizerReferenceTest, testing::ValuesIn(Cases()), CaseName);

TEST(SgdTest, Defaults) {
  const auto sgd = CreateFromText<Optimizer>("sgd", "").value();
  EXPECT_EQ(sgd->lr(), 0.1);
  EXPECT_FALSE(sgd->has_momentum());
  EXPECT_TRUE(CreateFromText<Optimizer>("sgd", "momentum: 0.5").value()->has_momentum());
}

TEST(SgdTest, NesterovNeedsMomentum) {
  const auto sgd = CreateFromText<Optimizer>("sgd", "nesterov: true");
  EXPECT_EQ(sgd.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sgd.status().message(),
            "optimizer \"sgd\": nesterov is true and momentum is 0; nesterov needs a momentum "
            "greater than 0");
}

TEST(SgdTest, MomentumBelowOne) {
  const auto sgd = CreateFromText<Optimizer>("sgd", "momentum: 1");
  EXPECT_EQ(sgd.status().message(),
            "optimizer \"sgd\": momentum is 1; it must be at least 0 and less than 1");
}

}  // namespace
}  // namespace starling
