#include "topology/topology.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MixingRound, EdgesAreSortedByReceiverAndBySender) {
  const MixingRound round =
      MixingRound::FromEdges(3, {{2, 2, 1}, {1, 2, 0.25}, {0, 0, 1}, {1, 0, 0.25}, {1, 1, 0.5}});
  EXPECT_EQ(round.workers(), 3);
  EXPECT_THAT(round.in(1), ElementsAre(Edge{1, 0, 0.25}, Edge{1, 1, 0.5}, Edge{1, 2, 0.25}));
  EXPECT_THAT(round.out(0), ElementsAre(Edge{0, 0, 1}, Edge{1, 0, 0.25}));
  EXPECT_THAT(round.out(1), ElementsAre(Edge{1, 1, 0.5}));
  EXPECT_THAT(round.group(1), IsEmpty());
  EXPECT_THAT(round.groups(), IsEmpty());
}

TEST(MixingRound, GroupsAverage) {
  const MixingRound round = MixingRound::FromGroups(4, {{3, 0, 1}, {2}});
  EXPECT_THAT(round.group(3), ElementsAre(0, 1, 3));
  EXPECT_THAT(round.group(2), ElementsAre(2));
  EXPECT_THAT(round.in(1),
              ElementsAre(Edge{1, 0, 1.0 / 3}, Edge{1, 1, 1.0 / 3}, Edge{1, 3, 1.0 / 3}));
  EXPECT_THAT(round.in(2), ElementsAre(Edge{2, 2, 1}));
  EXPECT_EQ(round.groups().size(), 2u);
}

TEST(MixingRoundDeathTest, RefusesWhatIsNoMatrix) {
  EXPECT_DEATH(MixingRound::FromEdges(2, {{0, 0, 1}, {2, 1, 1}}), "");
  EXPECT_DEATH(MixingRound::FromEdges(2, {{0, 0, 1}, {1, 1, 0}}), "edge 1 -> 1");
  EXPECT_DEATH(MixingRound::FromEdges(2, {{0, 1, 0.5}, {0, 1, 0.5}}), "stands twice");
  EXPECT_DEATH(MixingRound::FromGroups(3, {{0, 1}, {1, 2}}), "worker 1");
  EXPECT_DEATH(MixingRound::FromGroups(3, {{0, 1}}), "worker 2");
}

TEST(PeriodicTopology, RepeatsItsRounds) {
  TopologyFacts facts;
  facts.symmetric = true;
  const PeriodicTopology topology(
      2, {MixingRound::FromGroups(2, {{0, 1}}), MixingRound::FromGroups(2, {{0}, {1}})}, facts);
  EXPECT_EQ(topology.size(), 2);
  EXPECT_EQ(topology.facts().period, 2);
  EXPECT_TRUE(topology.facts().symmetric);
  EXPECT_EQ(topology.Round(6).groups().size(), 1u);
  EXPECT_EQ(topology.Round(7).groups().size(), 2u);
}

}  // namespace
}  // namespace starling
