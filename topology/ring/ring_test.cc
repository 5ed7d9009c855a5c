#include <cmath>
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

INSTANTIATE_TEST_SUITE_P(Ring, TopologyConformance,
                         testing::Values(TopologyCase{"ring", R"(name: "ring")", AnyWorld}));

double Rho(int n) {
  const auto topology = MakeTopology(R"(name: "ring")", n);
  EXPECT_TRUE(topology.ok());
  return AnalyzeRounds(PeriodOf(**topology)).rho;
}

TEST(Ring, SecondSingularValueInClosedForm) {
  for (int n = 4; n <= 64; ++n) {
    EXPECT_NEAR(Rho(n), 1.0 / 3 + 2.0 / 3 * std::cos(2 * std::acos(-1.0) / n), 1e-12) << n;
  }
  EXPECT_NEAR(Rho(8), 0.804738, 5e-7);
}

TEST(Ring, ThirdsForTheWorkerAndItsNeighbours) {
  const auto topology = MakeTopology(R"(name: "ring")", 5);
  ASSERT_TRUE(topology.ok());
  const auto third = DoubleEq(1.0 / 3);
  const std::vector<double> weights = DenseWeights((*topology)->Round(0));
  EXPECT_THAT(std::vector<double>(weights.begin(), weights.begin() + 5),
              ElementsAre(third, third, 0, 0, third));
}

TEST(Ring, TwoWorkersAverage) {
  const auto topology = MakeTopology(R"(name: "ring")", 2);
  ASSERT_TRUE(topology.ok());
  EXPECT_THAT(DenseWeights((*topology)->Round(0)), ElementsAre(0.5, 0.5, 0.5, 0.5));
}

}  // namespace
}  // namespace starling
