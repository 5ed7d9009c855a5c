#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(Exponential, TopologyConformance,
                         testing::Values(TopologyCase{"exponential", R"(name: "exponential")",
                                                      AnyWorld}));

TEST(Exponential, SecondSingularValueForPowersOfTwo) {
  for (int k = 1; k <= 6; ++k) {
    const auto topology = MakeTopology(R"(name: "exponential")", 1 << k);
    ASSERT_TRUE(topology.ok());
    EXPECT_NEAR(AnalyzeRounds(PeriodOf(**topology)).rho, (k - 1.0) / (k + 1.0), 1e-12) << k;
  }
}

TEST(Exponential, EightWorkersMixAtOneHalf) {
  const auto topology = MakeTopology(R"(name: "exponential")", 8);
  ASSERT_TRUE(topology.ok());
  EXPECT_NEAR(AnalyzeRounds(PeriodOf(**topology)).rho, 0.5, 1e-12);
}

TEST(Exponential, ReceivesFromPowersOfTwoAhead) {
  const auto topology = MakeTopology(R"(name: "exponential")", 6);
  ASSERT_TRUE(topology.ok());
  EXPECT_THAT((*topology)->Round(0).in(3),
              ElementsAre(Edge{3, 1, 0.25}, Edge{3, 3, 0.25}, Edge{3, 4, 0.25}, Edge{3, 5, 0.25}));
}

}  // namespace
}  // namespace starling
