#include "experiments/sweep_map.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "core/config/resolve.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

std::string Said(const std::vector<std::string>& words) {
  return std::string(ParseAxes(words).status().message());
}

TEST(Sweep, Axes) {
  const auto axes = ParseAxes({"nodes=2:64", "nic_gbps=1:100:3", "jitter=0:0.3", "compute_ms=5,7"});
  ASSERT_TRUE(axes.ok()) << axes.status();
  EXPECT_EQ((*axes)[0].values, (std::vector<double>{2, 4, 8, 16, 32, 64}));
  EXPECT_EQ((*axes)[1].values, (std::vector<double>{1, 10, 100}));
  EXPECT_EQ((*axes)[2].values, (std::vector<double>{0, 0.1, 0.2, 0.3}));
  EXPECT_EQ((*axes)[3].values, (std::vector<double>{5, 7}));
}

TEST(Sweep, MistakesAreAnswered) {
  EXPECT_TRUE(absl::StartsWith(Said({"nics=1:2"}), "--sweep: no figure \"nics\""));
  EXPECT_TRUE(absl::StrContains(Said({"nic_gbp=1:2"}), "did you mean \"nic_gbps\"?"));
  EXPECT_EQ(Said({"nodes"}), "--sweep: \"nodes\" is no axis; say nic_gbps=1:400");
  EXPECT_EQ(Said({"nodes=1.5:2"}), "--sweep nodes=1.5:2: \"1.5\" is no whole number from 1 on");
  EXPECT_EQ(Said({"jitter=0:x"}), "--sweep jitter=0:x: \"x\" is no number from 0 on");
  EXPECT_EQ(Said({"jitter=1:0"}), "--sweep jitter=1:0: a range is FROM:TO or FROM:TO:POINTS");
  EXPECT_EQ(Said({"jitter=0:1", "jitter=0:1"}), "--sweep: jitter twice");
  EXPECT_EQ(Said({"jitter=0:1:2000", "nodes=2:4"}),
            "--sweep asks for 4000 points; at most 2000: say FROM:TO:POINTS with fewer");
}

PredictionInput Input() {
  PredictionInput input;
  input.cluster.set_workers_per_node(4);
  EXPECT_EQ(CompleteCluster(&input.cluster), absl::OkStatus());
  input.model.set_fixed_ms(100);
  for (int b = 0; b < 4; ++b) input.model.add_bucket()->set_mb(25);
  EXPECT_EQ(CompleteModelProfile(&input.model), absl::OkStatus());
  ResolveDefaults(&input.config);
  input.config.mutable_algorithm()->set_name("gossip");
  return input;
}

// On a fast network computing is all that counts; on a slow one bytes are.
TEST(Sweep, WinnersFollowTheNetwork) {
  const auto map = Sweep(Input(), *ParseAxes({"nodes=2,4", "nic_gbps=0.1,1000", "jitter=0,0.2"}));
  ASSERT_TRUE(map.ok()) << map.status();
  ASSERT_EQ(map->points.size(), 8u);
  EXPECT_EQ(map->points[1].at, (std::vector<double>{2, 0.1, 0.2}));
  EXPECT_EQ(map->points[6].at, (std::vector<double>{4, 1000, 0}));
  EXPECT_EQ(map->points[4].winner, "alternating_exp_ring");
  // Half of a ring's bytes: a card sends S/2 per step in place of 2 (N-1)/N S.
  EXPECT_NEAR(map->points[4].speedup, 1.5 / 0.5, 0.3);
  EXPECT_NEAR(map->points[6].speedup, 1, 0.05);
  EXPECT_GT(map->points[7].speedup, 1.1);  // jitter
  const std::string text = SweepText(*map);
  EXPECT_TRUE(absl::StrContains(text, "jitter 0.2\n")) << text;
  EXPECT_TRUE(absl::StrContains(text, "  A  alternating_exp_ring\n")) << text;
  EXPECT_TRUE(absl::StartsWith(
      SweepCsv(*map),
      "nodes,nic_gbps,jitter,winner,algorithm,all_reduce_ms,winner_ms,speedup\n2,0.1,0,"));
  const std::string svg = SweepSvg(*map);
  EXPECT_TRUE(absl::StartsWith(svg, "<svg xmlns=")) << svg;
  EXPECT_TRUE(absl::StrContains(svg, ">jitter 0.2</text>"));
  EXPECT_TRUE(absl::EndsWith(svg, "</svg>\n"));
}

TEST(Sweep, OneAxisIsARow) {
  const auto map = Sweep(Input(), *ParseAxes({"nic_gbps=0.1,10,1000"}));
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->points.size(), 3u);
  EXPECT_TRUE(absl::StrContains(SweepText(*map), "0.1       10     1000\n")) << SweepText(*map);
}

}  // namespace
}  // namespace starling
