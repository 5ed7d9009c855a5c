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

INSTANTIATE_TEST_SUITE_P(Hypercube, TopologyConformance,
                         testing::Values(TopologyCase{
                             "hypercube", R"(name: "hypercube")",
                             [](int n, int) { return (n & (n - 1)) == 0; }}));

TEST(Hypercube, NeighboursDifferInOneBit) {
  const auto topology = MakeTopology(R"(name: "hypercube")", 8);
  ASSERT_TRUE(topology.ok());
  const std::vector<double> weights = DenseWeights((*topology)->Round(0));
  const auto quarter = DoubleEq(0.25);
  EXPECT_THAT(std::vector<double>(weights.begin() + 5 * 8, weights.begin() + 6 * 8),
              ElementsAre(0, quarter, 0, 0, quarter, quarter, 0, quarter));
}

TEST(Hypercube, SecondSingularValueInClosedForm) {
  for (int k = 1; k <= 6; ++k) {
    const auto topology = MakeTopology(R"(name: "hypercube")", 1 << k);
    ASSERT_TRUE(topology.ok());
    EXPECT_NEAR(AnalyzeRounds(PeriodOf(**topology)).rho, (k - 1.0) / (k + 1.0), 1e-12) << k;
  }
}

TEST(Hypercube, RefusesOtherWorlds) {
  EXPECT_EQ(MakeTopology(R"(name: "hypercube")", 12).status().message(),
            "topology \"hypercube\" needs a power of two workers, not 12; nearest: 8 or 16");
}

}  // namespace
}  // namespace starling
