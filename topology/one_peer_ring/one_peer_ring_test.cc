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

INSTANTIATE_TEST_SUITE_P(OnePeerRing, TopologyConformance,
                         testing::Values(TopologyCase{
                             "one_peer_ring", R"(name: "one_peer_ring")",
                             [](int n, int) { return n == 1 || n % 2 == 0; }}));

TEST(OnePeerRing, PairsTakeTurns) {
  const auto topology = MakeTopology(R"(name: "one_peer_ring")", 6);
  ASSERT_TRUE(topology.ok());
  EXPECT_THAT((*topology)->Round(0).groups(),
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5)));
  EXPECT_THAT((*topology)->Round(1).groups(),
              ElementsAre(ElementsAre(0, 5), ElementsAre(1, 2), ElementsAre(3, 4)));
}

TEST(OnePeerRing, IsConnectedOverAPeriodOnly) {
  const auto topology = MakeTopology(R"(name: "one_peer_ring")", 8);
  ASSERT_TRUE(topology.ok());
  EXPECT_EQ(CountComponents({(*topology)->Round(0)}), 4);
  EXPECT_EQ(CountComponents(PeriodOf(**topology)), 1);
}

TEST(OnePeerRing, RefusesOddWorlds) {
  EXPECT_EQ(MakeTopology(R"(name: "one_peer_ring")", 7).status().message(),
            "topology \"one_peer_ring\" needs an even number of workers, not 7; nearest: 6 or 8");
}

}  // namespace
}  // namespace starling
