#include <string>
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

constexpr char kPaired[] = R"(name: "one_peer_exp")";
constexpr char kDirected[] = R"(
    name: "one_peer_exp"
    config { [type.googleapis.com/starling.OnePeerExpConfig] { directed: true } })";

bool IsPowerOfTwoWorld(int n, int) { return (n & (n - 1)) == 0; }

INSTANTIATE_TEST_SUITE_P(OnePeerExp, TopologyConformance,
                         testing::Values(TopologyCase{"paired", kPaired, IsPowerOfTwoWorld},
                                         TopologyCase{"directed", kDirected, AnyWorld}),
                         [](const auto& info) { return info.param.label; });

TEST(OnePeerExp, PowersOfTwoAverageExactly) {
  for (const char* ref : {kPaired, kDirected}) {
    for (int n : {4, 8, 16, 32}) {
      const auto topology = MakeTopology(ref, n);
      ASSERT_TRUE(topology.ok()) << topology.status();
      FractionProduct product(n);
      for (const MixingRound& round : PeriodOf(**topology)) {
        EXPECT_FALSE(product.IsAverage());
        ASSERT_TRUE(product.Multiply(round));
      }
      EXPECT_TRUE(product.IsAverage()) << ref << n;
      EXPECT_EQ(1 << (*topology)->facts().period, n);
    }
  }
}

TEST(OnePeerExp, PairsAlongTheBits) {
  const auto topology = MakeTopology(kPaired, 8);
  ASSERT_TRUE(topology.ok());
  EXPECT_THAT((*topology)->Round(1).groups(), ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3),
                                                          ElementsAre(4, 6), ElementsAre(5, 7)));
}

TEST(OnePeerExp, DirectedReceivesFromAheadForAnyNumber) {
  const auto topology = MakeTopology(kDirected, 7);
  ASSERT_TRUE(topology.ok());
  EXPECT_EQ((*topology)->facts().period, 3);
  EXPECT_EQ((*topology)->facts().exact_after, 0);
  EXPECT_THAT((*topology)->Round(2).in(5), ElementsAre(Edge{5, 2, 0.5}, Edge{5, 5, 0.5}));
  EXPECT_EQ(CountComponents(PeriodOf(**topology)), 1);
}

TEST(OnePeerExp, RefusesOtherWorlds) {
  EXPECT_EQ(MakeTopology(kPaired, 7).status().message(),
            "topology \"one_peer_exp\" needs a power of two workers, not 7; nearest: 4 or 8; "
            "config { directed: true } serves any number");
}

}  // namespace
}  // namespace starling
