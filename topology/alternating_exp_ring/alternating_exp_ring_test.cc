#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/fraction.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

constexpr char kRef[] = R"(name: "alternating_exp_ring")";

bool Legal(int n, int per_node) {
  if (n == 1) return true;
  const int nodes = n / per_node;
  return n % per_node == 0 && nodes >= 2 && (nodes & (nodes - 1)) == 0;
}

INSTANTIATE_TEST_SUITE_P(AlternatingExpRing, TopologyConformance,
                         testing::Values(TopologyCase{"alternating_exp_ring", kRef, Legal}));

TEST(AlternatingExpRing, FourMachinesOfTwo) {
  const auto topology = MakeTopology(kRef, 8, 2);
  ASSERT_TRUE(topology.ok());
  const std::vector<MixingRound> rounds = PeriodOf(**topology);
  ASSERT_EQ(rounds.size(), 4u);
  EXPECT_THAT(rounds[0].groups(),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5, 6, 7)));
  EXPECT_THAT(rounds[1].groups(),
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(4, 5), ElementsAre(6, 7)));
  EXPECT_THAT(rounds[2].groups(),
              ElementsAre(ElementsAre(0, 1), ElementsAre(4, 5), ElementsAre(2, 3, 6, 7)));
  EXPECT_THAT(rounds[3].groups(),
              ElementsAre(ElementsAre(0, 1, 4, 5), ElementsAre(2, 3), ElementsAre(6, 7)));
}

TEST(AlternatingExpRing, AveragesExactlyInOnePeriod) {
  const std::vector<std::pair<int, int>> worlds = {{2, 2}, {4, 2}, {8, 2}, {2, 4},
                                                   {4, 4}, {8, 4}, {4, 8}, {8, 8}};
  for (const auto& [machines, per_machine] : worlds) {
    const auto topology = MakeTopology(kRef, machines * per_machine, per_machine);
    ASSERT_TRUE(topology.ok());
    EXPECT_EQ(1 << ((*topology)->facts().period / 2), machines);
    FractionProduct product(machines * per_machine);
    for (const MixingRound& round : PeriodOf(**topology)) ASSERT_TRUE(product.Multiply(round));
    EXPECT_TRUE(product.IsAverage()) << machines << " x " << per_machine;
  }
}

TEST(AlternatingExpRing, RefusesOtherWorlds) {
  EXPECT_EQ(MakeTopology(kRef, 12, 4).status().message(),
            "topology \"alternating_exp_ring\" needs 2, 4, 8, ... nodes of workers_per_node = 4 "
            "workers, not 12; nearest: 8 or 16");
  EXPECT_EQ(MakeTopology(kRef, 4, 4).status().message(),
            "topology \"alternating_exp_ring\" needs 2, 4, 8, ... nodes of workers_per_node = 4 "
            "workers, not 4; nearest: 1 or 8");
}

}  // namespace
}  // namespace starling
