#include "topology/graph.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"

namespace starling {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

TEST(Graph, AddEdgeIgnoresOrderRepetitionAndLoops) {
  UndirectedEdges edges;
  AddEdge(2, 1, &edges);
  AddEdge(1, 2, &edges);
  AddEdge(1, 1, &edges);
  EXPECT_THAT(edges, ElementsAre(std::pair(1, 2)));
}

TEST(Graph, MetropolisWeightsOfAPathWithAnIsolatedWorker) {
  const MixingRound round = MetropolisRound(4, {{0, 1}, {1, 2}});
  const double third = 1.0 / 3;
  EXPECT_THAT(DenseWeights(round),
              ElementsAre(DoubleEq(2 * third), DoubleEq(third), 0, 0,            //
                          DoubleEq(third), DoubleEq(third), DoubleEq(third), 0,  //
                          0, DoubleEq(third), DoubleEq(2 * third), 0,            //
                          0, 0, 0, 1));
  EXPECT_TRUE(IsSymmetric(round));
  EXPECT_TRUE(ColumnsSumToOne(round));
}

TEST(Graph, WorkersInNoGroupStandAlone) {
  const MixingRound round = GroupsOrAlone(5, {{3, 1}});
  EXPECT_THAT(round.group(1), ElementsAre(1, 3));
  EXPECT_THAT(round.group(4), ElementsAre(4));
  EXPECT_THAT(round.groups(),
              ElementsAre(ElementsAre(0), ElementsAre(1, 3), ElementsAre(2), ElementsAre(4)));
}

}  // namespace
}  // namespace starling
