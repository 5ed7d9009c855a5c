#include "topology/traffic.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

// Many times over: the sums of a period in units of S = 1.
struct Period {
  std::vector<MixingRound> rounds;
  MixingTraffic mean;
};

Period TrafficOf(const std::string& name, int nodes, int per_node) {
  const auto topology = MakeTopology("name: \"" + name + "\"", nodes * per_node, per_node);
  EXPECT_TRUE(topology.ok()) << topology.status();
  Period period;
  period.rounds = PeriodOf(**topology);
  period.mean = MeanTraffic(period.rounds, per_node, 1);
  return period;
}

class NodeTraffic : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  const int N = GetParam().first, L = GetParam().second, n = N * L;
};

TEST_P(NodeTraffic, CompleteInTwoLevels) {
  const Period period = TrafficOf("complete", N, L);
  EXPECT_THAT(period.mean.node_bytes, Each(DoubleNear(2.0 * (N - 1) / N, 1e-12)));
  EXPECT_THAT(period.mean.worker_bytes, Each(DoubleNear(2.0 * (n - 1) / n, 1e-12)));
}

TEST_P(NodeTraffic, OnePeerExpFillsTheCards) {
  const Period period = TrafficOf("one_peer_exp", N, L);
  for (size_t t = 0; t < period.rounds.size(); ++t) {
    const bool across = (1 << t) >= L;
    EXPECT_THAT(TrafficOfRound(period.rounds[t], L, 1).node_bytes,
                Each(DoubleNear(across ? L : 0, 1e-12)));
  }
  EXPECT_THAT(period.mean.node_bytes, Each(DoubleNear(L * std::log2(N) / std::log2(n), 1e-12)));
  EXPECT_THAT(period.mean.worker_bytes, Each(DoubleNear(1, 1e-12)));
}

TEST_P(NodeTraffic, AlternatingExpRingSendsHalfAModel) {
  const Period period = TrafficOf("alternating_exp_ring", N, L);
  for (const MixingRound& round : period.rounds) {
    const MixingTraffic traffic = TrafficOfRound(round, L, 1);
    for (int node = 0; node < N; ++node) {
      const bool merged = static_cast<int>(round.group(node * L).size()) == 2 * L;
      EXPECT_NEAR(traffic.node_bytes[node], merged ? 1 : 0, 1e-12);
    }
  }
  EXPECT_THAT(period.mean.node_bytes, Each(DoubleNear(0.5, 1e-12)));
  // Half of the rounds in a group of 2L, half in one of L.
  EXPECT_THAT(period.mean.worker_bytes,
              Each(DoubleNear((2.0 * L - 1) / (2 * L) + (L - 1.0) / L, 1e-12)));
}

INSTANTIATE_TEST_SUITE_P(Machines, NodeTraffic,
                         testing::Values(std::pair(2, 1), std::pair(2, 4), std::pair(4, 2),
                                         std::pair(4, 4), std::pair(8, 8)));

TEST(Traffic, UnequalMembersPerMachineExchangeDirectly) {
  // Machines {0 1} and {2 3}; two members here, one there.
  const MixingTraffic traffic =
      TrafficOfRound(MixingRound::FromGroups(4, {{0, 1, 2}, {3}}), 2, 300);
  EXPECT_THAT(traffic.worker_bytes,
              ElementsAre(DoubleEq(400), DoubleEq(400), DoubleEq(400), DoubleEq(0)));
  // 2 p (m - p) / m S on either side.
  EXPECT_THAT(traffic.node_bytes, ElementsAre(DoubleEq(400), DoubleEq(400)));
}

TEST(Traffic, DirectExchangeWouldFillTheCards) {
  // 64 workers, 8 per machine, one of them left out: nearly 14 S, where two levels take 1.75 S.
  std::vector<int> most;
  for (int rank = 0; rank < 63; ++rank) most.push_back(rank);
  EXPECT_NEAR(TrafficOfRound(MixingRound::FromGroups(64, {most, {63}}), 8, 1).node_bytes[0],
              2.0 * 8 * 55 / 63, 1e-12);
}

TEST(Traffic, EdgesSendWholeModels) {
  // 0 gives to 1 (same machine) and 2 (another), 2 gives to 0; the last machine is half full.
  const MixingRound round = MixingRound::FromEdges(
      3, {{0, 0, 0.5}, {0, 2, 0.5}, {1, 0, 0.5}, {1, 1, 0.5}, {2, 0, 0.5}, {2, 2, 0.5}});
  const MixingTraffic traffic = TrafficOfRound(round, 2, 10);
  EXPECT_THAT(traffic.worker_bytes, ElementsAre(20, 0, 10));
  EXPECT_THAT(traffic.node_bytes, ElementsAre(10, 10));
}

TEST(Traffic, MeansAreOverRounds) {
  const MixingTraffic traffic = MeanTraffic(
      {MixingRound::FromGroups(2, {{0, 1}}), MixingRound::FromGroups(2, {{0}, {1}})}, 1, 8);
  EXPECT_THAT(traffic.worker_bytes, ElementsAre(4, 4));
  EXPECT_THAT(traffic.node_bytes, ElementsAre(4, 4));
}

}  // namespace
}  // namespace starling
