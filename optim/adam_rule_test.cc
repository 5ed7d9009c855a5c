#include "optim/adam_rule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr AdamConstants kConstants{0.9, 0.999, 1e-8, /*decoupled=*/false};

TEST(AdamRuleTest, CorrectsForMomentsThatStartAtZero) {
  for (int64_t k : {1, 2, 3, 10, 1000}) {
    const AdamCorrection correction = CorrectionAt(kConstants, k);
    EXPECT_NEAR(correction.first * (1 - std::pow(0.9, k)), 1, 1e-12) << k;
    EXPECT_NEAR(correction.root_second * std::sqrt(1 - std::pow(0.999, k)), 1, 1e-12) << k;
  }
}

TEST(AdamRuleTest, CorrectionFadesAway) {
  const AdamCorrection correction = CorrectionAt(kConstants, 1'000'000'000);
  EXPECT_EQ(correction.first, 1);
  EXPECT_EQ(correction.root_second, 1);
}

TEST(AdamRuleTest, DecayGoesOneOfTwoWays) {
  const AdamStep l2 = MakeAdamStep(kConstants, {}, /*lr=*/0.1, /*weight_decay=*/0.5);
  EXPECT_EQ(l2.shrink, 1);
  EXPECT_EQ(l2.l2, 0.5);
  AdamConstants decoupled = kConstants;
  decoupled.decoupled = true;
  const AdamStep w = MakeAdamStep(decoupled, {}, /*lr=*/0.1, /*weight_decay=*/0.5);
  EXPECT_EQ(w.shrink, 0.95);
  EXPECT_EQ(w.l2, 0);
}

}  // namespace
}  // namespace starling
