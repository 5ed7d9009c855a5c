#include "topology/draw.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

TEST(DrawGroups, BracketsBelowTheWorkers) {
  EXPECT_THAT(DrawGroups(MixingRound::FromGroups(4, {{0, 1}, {2, 3}}), 1),
              ElementsAre(" 0  1  2  3",  //
                          " ╰──╯  ╰──╯"));
}

TEST(DrawGroups, LongerGroupsGoBelowShorterOnes) {
  EXPECT_THAT(DrawGroups(MixingRound::FromGroups(8, {{0, 1}, {4, 5}, {2, 3, 6, 7}}), 2),
              ElementsAre("[0  1][2  3][4  5][6  7]",  //
                          " ╰──╯  │  │  ╰──╯  │  │",   //
                          "       ╰──┴────────┴──╯"));
}

TEST(DrawGroups, CrossesWhatGoesOnBelow) {
  EXPECT_THAT(DrawGroups(MixingRound::FromGroups(4, {{0, 2}, {1, 3}}), 4),
              ElementsAre("[0  1  2  3]",  //
                          " ╰──┼──╯  │",   //
                          "    ╰─────╯"));
}

TEST(DrawGroups, LeavesLoneWorkersBlankAndWidensForTwoDigits) {
  std::vector<std::vector<int>> groups = {{0, 11}};
  for (int i = 1; i < 11; ++i) groups.push_back({i});
  EXPECT_THAT(DrawGroups(MixingRound::FromGroups(12, groups), 8),
              ElementsAre("[ 0   1   2   3   4   5   6   7][ 8   9  10  11]",
                          "  ╰───────────────────────────────────────────╯"));
}

TEST(DrawMatrix, ShadesByWeight) {
  const double third = 1.0 / 3;
  EXPECT_THAT(
      DrawMatrix(MixingRound::FromEdges(
          3, {{0, 0, 1 - third}, {0, 1, third}, {1, 0, third}, {1, 1, 1 - third}, {2, 2, 1}})),
      ElementsAre("    0  1  2",   //
                  " 0  ▒▒ ░░ ·",   //
                  " 1  ░░ ▒▒ ·",   //
                  " 2  ·  ·  ██",  //
                  "░░ 1/3   ▒▒ 2/3   ██ 1"));
}

TEST(DrawMatrix, SharesShadesAmongManyWeights) {
  std::vector<Edge> edges;
  for (int i = 0; i < 6; ++i) edges.push_back({i, i, (i + 1) / 8.0});
  EXPECT_EQ(DrawMatrix(MixingRound::FromEdges(6, edges)).back(),
            "░░ 1/8 to 1/4   ▒▒ 3/8   ▓▓ 1/2 to 5/8   ██ 3/4");
}

TEST(ListGroups, BreaksLongLists) {
  const MixingRound round = MixingRound::FromGroups(5, {{0, 1, 2}, {3}, {4}});
  EXPECT_THAT(ListGroups(round, 80), ElementsAre("{0 1 2} {3} {4}"));
  EXPECT_THAT(ListGroups(round, 6), ElementsAre("{0 1", "2} {3}", "{4}"));
}

}  // namespace
}  // namespace starling
