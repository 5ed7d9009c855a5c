#include "cluster/exchange_costs.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cluster/cluster.h"
#include "core/config/text.h"
#include "gtest/gtest.h"
#include "topology/topology.h"
#include "topology/traffic.h"

namespace starling {
namespace {

ClusterSpec Cluster(const std::string& text) {
  ClusterSpec cluster;
  EXPECT_EQ(ParseText(text, "c.textproto", &cluster), absl::OkStatus());
  EXPECT_EQ(CompleteCluster(&cluster), absl::OkStatus());
  return cluster;
}

// 10^6 bytes at 8 Gbit/s take 1 ms. Inside a machine of four 80, a pair across 16, a card 32.
constexpr char kRates[] =
    "workers_per_node: 4 node_gbps: 80 communicator_gbps: 16 nic_gbps: 32 "
    "collective_latency_us: 1000 hop_latency_us: 100 ";

RoundCosts Groups(const ClusterSpec& cluster, const std::vector<std::vector<int>>& groups) {
  return ExchangeCosts(cluster, 8).OfRound(MixingRound::FromGroups(8, groups), false);
}

TEST(ExchangeCosts, Ring) {
  const ClusterSpec cluster = Cluster(std::string(kRates) + "collective: RING");
  const RoundCosts inside = Groups(cluster, {{0, 1, 2, 3}, {4, 5}, {6}, {7}});
  EXPECT_TRUE(inside.groups);
  EXPECT_DOUBLE_EQ(inside.cost[0].latency_ms, 1 + 6 * 0.1);
  EXPECT_DOUBLE_EQ(inside.cost[0].ms_per_mb, 1.5 * 0.1);
  EXPECT_DOUBLE_EQ(inside.cost[1].ms_per_mb, 0.1);
  EXPECT_EQ(inside.cost[2].Ms(10), 0);  // alone
  EXPECT_EQ(inside.members, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(inside.begin, (std::vector<int>{0, 4, 6, 7, 8}));

  // One ring gets what one communicator gets; four share the card.
  EXPECT_DOUBLE_EQ(ExchangeCosts(cluster, 8).OfEveryone().cost[0].ms_per_mb, 1.75 * 8 / 16);
  const RoundCosts pairs = Groups(cluster, {{0, 4}, {1, 5}, {2, 6}, {3, 7}});
  EXPECT_DOUBLE_EQ(pairs.cost[2].ms_per_mb, 8 / (32 / 4.0));
  const RoundCosts two = Groups(cluster, {{0, 4}, {1, 2}, {3, 7}, {5, 6}});
  EXPECT_DOUBLE_EQ(two.cost[0].ms_per_mb, 8 / 16.0);
  EXPECT_DOUBLE_EQ(two.cost[1].ms_per_mb, 8 / 80.0);
}

TEST(ExchangeCosts, TwoLevel) {
  const ClusterSpec cluster = Cluster(kRates);
  // Inside 1.5 of 80; across the four owners fill the card with 1 of it.
  const ExchangeCost all = ExchangeCosts(cluster, 8).OfEveryone().cost[0];
  EXPECT_DOUBLE_EQ(all.ms_per_mb, 1.5 * 0.1 + 8 / 32.0);
  EXPECT_DOUBLE_EQ(all.latency_ms, 1 + 4 * 0.1);
  // A pair alone does not.
  const RoundCosts pair = Groups(cluster, {{0, 4}, {1, 2, 3}, {5, 6, 7}});
  EXPECT_DOUBLE_EQ(pair.cost[0].ms_per_mb, 8 / 16.0);
  EXPECT_DOUBLE_EQ(pair.cost[1].ms_per_mb, 4 / 3.0 * 0.1);
  // Unequal: three members here, one there, directly. The card carries 2 * 3 * 1 / 4.
  const RoundCosts unequal = Groups(cluster, {{0, 1, 2, 4}, {3}, {5, 6, 7}});
  EXPECT_DOUBLE_EQ(unequal.cost[0].ms_per_mb, 1.5 * 8 / 32);
  EXPECT_DOUBLE_EQ(unequal.cost[0].latency_ms, 1 + 2 * 0.1);
}

TEST(ExchangeCosts, HalfDuplexHalvesTheCard) {
  const ClusterSpec cluster = Cluster(std::string(kRates) + "half_duplex: true");
  const RoundCosts pairs = Groups(cluster, {{0, 4}, {1, 5}, {2, 6}, {3, 7}});
  EXPECT_DOUBLE_EQ(pairs.cost[0].ms_per_mb, 8 / (32 / 8.0));
}

TEST(ExchangeCosts, Edges) {
  const ClusterSpec cluster = Cluster(kRates);
  // 0 gives to 1 (inside), 4 and 5; 1 to 6. Four messages into machine 1 would fill the card.
  std::vector<Edge> edges = {{1, 0, 0.5}, {4, 0, 0.5}, {5, 0, 0.5}, {6, 1, 0.5}};
  for (int i = 0; i < 8; ++i) edges.push_back({i, i, 0.5});
  const MixingRound round = MixingRound::FromEdges(8, edges);
  const RoundCosts costs = ExchangeCosts(cluster, 8).OfRound(round, false);
  EXPECT_FALSE(costs.groups);
  EXPECT_DOUBLE_EQ(costs.cost[0].ms_per_mb, 8 / (32 / 3.0));
  EXPECT_DOUBLE_EQ(costs.cost[0].latency_ms, 1.1);
  EXPECT_DOUBLE_EQ(costs.cost[1].ms_per_mb, 8 / (32 / 3.0));
  EXPECT_EQ(costs.cost[7].Ms(5), 0);  // sends and receives nothing
  EXPECT_EQ(std::vector<int>(&costs.members[costs.begin[4]], &costs.members[costs.begin[5]]),
            (std::vector<int>{0, 4}));
  // A group in place of a sum: each of four sends to three, inside.
  const RoundCosts as_edges =
      ExchangeCosts(cluster, 8)
          .OfRound(MixingRound::FromGroups(8, {{0, 1, 2, 3}, {4, 5, 6, 7}}), true);
  EXPECT_FALSE(as_edges.groups);
  EXPECT_DOUBLE_EQ(as_edges.cost[3].ms_per_mb, 3 * 0.1);
}

// Where the card is all that limits, an exchange takes as long as the busiest card's bytes.
TEST(ExchangeCosts, AgreeWithTraffic) {
  const ClusterSpec cluster =
      Cluster("workers_per_node: 2 node_gbps: 1e9 communicator_gbps: 1e6 nic_gbps: 8");
  std::vector<Edge> ring;
  for (int i = 0; i < 8; ++i) {
    for (const int d : {7, 0, 1}) ring.push_back({i, (i + d) % 8, 1 / 3.0});
  }
  const MixingRound rounds[] = {
      MixingRound::FromGroups(8, {{0, 2}, {1, 3}, {4, 6}, {5, 7}}),
      MixingRound::FromGroups(8, {{0, 1}, {2, 3, 6, 7}, {4, 5}}),
      MixingRound::FromGroups(8, {{0, 1, 2, 3, 4, 5, 6, 7}}),
      MixingRound::FromGroups(8, {{0, 1, 2}, {3}, {4, 5, 6}, {7}}),
      MixingRound::FromEdges(8, ring),
  };
  for (const MixingRound& round : rounds) {
    const MixingTraffic traffic = TrafficOfRound(round, 2, /*model_bytes=*/1);
    double slowest = 0;
    for (const ExchangeCost& cost : ExchangeCosts(cluster, 8).OfRound(round, false).cost) {
      slowest = std::max(slowest, cost.ms_per_mb);
    }
    EXPECT_NEAR(slowest, *std::max_element(traffic.node_bytes.begin(), traffic.node_bytes.end()),
                1e-6);
  }
}

TEST(ExchangeCosts, TheSlowestLinkOfPlacesFarApart) {
  const ClusterSpec cluster = Cluster(
      "nic_gbps: 100 site { name: 'a' nodes: 2 gbps: 20 latency_us: 1000 } "
      "site { name: 'b' nodes: 2 gbps: 40 latency_us: 2000 } "
      "site_link { a: 'a' b: 'b' gbps: 4 latency_us: 50000 }");
  const auto cost = [&](std::vector<std::vector<int>> groups) {
    return ExchangeCosts(cluster, 4).OfRound(MixingRound::FromGroups(4, groups), false).cost[0];
  };
  EXPECT_DOUBLE_EQ(cost({{0, 1}, {2, 3}}).ms_per_mb, 8 / 20.0);
  EXPECT_DOUBLE_EQ(cost({{0, 1}, {2, 3}}).latency_ms, 2);
  EXPECT_DOUBLE_EQ(cost({{0, 2}, {1, 3}}).ms_per_mb, 8 / 4.0);
  EXPECT_DOUBLE_EQ(cost({{0, 2}, {1, 3}}).latency_ms, 100);
  // Each sends a quarter to three others, twice, over 4 Gbit/s at worst.
  EXPECT_DOUBLE_EQ(cost({{0, 1, 2, 3}}).ms_per_mb, 2 * 0.25 * 8 / 4.0);
}

}  // namespace
}  // namespace starling
