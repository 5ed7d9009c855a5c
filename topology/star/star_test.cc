#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(Star, TopologyConformance,
                         testing::Values(TopologyCase{"star", R"(name: "star")", AnyWorld}));

TEST(Star, WeightsOfThree) {
  const auto topology = MakeTopology(R"(name: "star")", 3);
  ASSERT_TRUE(topology.ok());
  const auto third = DoubleEq(1.0 / 3), rest = DoubleEq(2.0 / 3);
  EXPECT_THAT(DenseWeights((*topology)->Round(0)),
              ElementsAre(third, third, third, third, rest, 0, third, 0, rest));
}

TEST(Star, SecondSingularValueInClosedForm) {
  for (int n = 3; n <= 40; ++n) {
    const auto topology = MakeTopology(R"(name: "star")", n);
    ASSERT_TRUE(topology.ok());
    EXPECT_NEAR(AnalyzeRounds(PeriodOf(**topology)).rho, 1 - 1.0 / n, 1e-12) << n;
  }
}

}  // namespace
}  // namespace starling
