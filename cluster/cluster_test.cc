#include "cluster/cluster.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "core/config/text.h"
#include "core/run/test_files.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(Library, EveryClusterLoadsAndSaysWhereItsFiguresComeFrom) {
  const std::vector<std::string> names = ClusterNames();
  EXPECT_GE(names.size(), 10u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : names) {
    const auto cluster = LoadCluster(name);
    ASSERT_TRUE(cluster.ok()) << name << ": " << cluster.status();
    EXPECT_EQ(cluster->name(), name);
    EXPECT_NE(cluster->source(), "") << name;
  }
}

TEST(Library, PublishedClustersHoldTheTransformerInSevenBuckets) {
  for (const char* name : {"t4_infiniband", "a100-infiniband"}) {
    const auto cluster = LoadCluster(name);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    const auto model = ModelOf(*cluster, "transformer_base");
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->bucket_size(), 7);
    EXPECT_NEAR(ModelMb(*model), 252.6, 1e-9);
  }
  EXPECT_NEAR(ComputeMs(*ModelOf(*LoadCluster("t4_infiniband"), ""), 16), 48.3 + 4022 / 16.0, 1e-9);
}

TEST(Library, PlacesFarApart) {
  const ClusterSpec world = *LoadCluster("dtfm_4_worldwide");
  EXPECT_EQ(world.nodes(), 64);
  EXPECT_EQ(LinkBetween(world, 0, 7).gbps, 2);  // both in Oregon
  EXPECT_EQ(LinkBetween(world, 0, 7).latency_us, 5000);
  EXPECT_EQ(LinkBetween(world, 0, 63).gbps, 0.482);  // Oregon, Ireland
  EXPECT_EQ(LinkBetween(world, 63, 0).latency_us, 124000);
  EXPECT_EQ(LinkBetween(world, 24, 32).gbps, 1.10);  // Tokyo, Seoul
  const ClusterSpec spot = *LoadCluster("dtfm_1_spot_instances");
  EXPECT_EQ(LinkBetween(spot, 0, 3).gbps, 100);
  EXPECT_EQ(LinkBetween(spot, 0, 4).gbps, 1.25);
  EXPECT_EQ(LinkBetween(spot, 62, 63).gbps, 1.25);
}

// What CompleteCluster says of `text`.
std::string Said(const std::string& text) {
  ClusterSpec cluster;
  TextLocations locations;
  const absl::Status parsed = ParseText(text, "c.textproto", &cluster, &locations);
  EXPECT_EQ(parsed, absl::OkStatus());
  return std::string(CompleteCluster(&cluster, locations).message());
}

TEST(Cluster, MistakesAreAnswered) {
  EXPECT_EQ(Said("nic_gbps: 0"),
            "c.textproto:1:11: nic_gbps is 0; it must be greater than 0 Gbit/s");
  EXPECT_TRUE(absl::StrContains(Said("jitter { relative: 0.1 }"),
                                "jitter.relative is 0.1, but jitter.distribution is NONE"));
  EXPECT_TRUE(absl::StrContains(Said("jitter { distribution: EMPIRICAL }"),
                                "jitter.sample: EMPIRICAL jitter is drawn from it"));
  EXPECT_TRUE(absl::StrContains(Said("site { name: 'a' } site { name: 'a' }"),
                                "site[1].name is \"a\"; each site needs a name of its own"));
  EXPECT_TRUE(absl::StrContains(Said("nodes: 3 site { name: 'a' nodes: 2 }"),
                                "nodes is 3, but the sites have 2"));
  EXPECT_TRUE(absl::StrContains(Said("site { name: 'a' } site_link { a: 'a' b: 'b' }"),
                                "site_link[0]: no site \"b\"; sites: a"));
  EXPECT_TRUE(absl::StrContains(Said("model { name: 'm' }"), "model[0].bucket is missing"));
  EXPECT_TRUE(absl::StrContains(
      Said("model { bucket { backward_share: 0.5 } bucket { backward_share: 0.4 } }"),
      "model[0].bucket: the backward_shares add up to 0.9; it must be 1"));
  EXPECT_TRUE(absl::StrContains(Said("model { bucket { backward_share: 1 } bucket { mb: 1 } }"),
                                "1 of 2 have a backward_share"));
  EXPECT_TRUE(absl::StrContains(Said("slow_worker { worker: 3 } slow_worker { worker: 3 }"),
                                "slow_worker[1].worker is 3 again"));
  EXPECT_TRUE(absl::StrContains(Said("spread { field: 'nic' relative: 0.1 }"),
                                "spread[0].field is \"nic\", which is no figure; figures: "));
}

TEST(Cluster, NamesAndFiles) {
  const auto unknown = LoadCluster("t4_infinband");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StartsWith(
      unknown.status().message(),
      "no cluster and no file \"t4_infinband\"; did you mean \"t4_infiniband\"? Clusters: "))
      << unknown.status();
  const std::string directory = NewDirectory();
  std::ofstream(directory + "/mine.textproto")
      << "nic_gbps: 3 model { name: 'm' bucket { mb: 1 } }";
  const auto mine = LoadCluster(directory + "/mine.textproto");
  ASSERT_TRUE(mine.ok()) << mine.status();
  EXPECT_EQ(mine->name(), directory + "/mine.textproto");
  EXPECT_EQ(LinkBetween(*mine, 0, 1).gbps, 3);
  EXPECT_EQ(mine->workers_per_node(), 1);
  EXPECT_EQ(ModelOf(*mine, "x").status().message(),
            "cluster \"" + mine->name() + "\" has no figures for model \"x\"; it has them for: m");
  std::ofstream(directory + "/model.textproto") << "bucket { mb: 1 } bucket { mb: 3 }";
  const auto model = LoadModelProfile(directory + "/model.textproto");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->bucket(1).backward_share(), 0.75);
}

TEST(Cluster, SaysHowManyMachinesAreMissing) {
  const ClusterSpec cluster = *LoadCluster("dtfm_0_data_center");
  EXPECT_EQ(CheckWorkersFit(cluster, 64), absl::OkStatus());
  EXPECT_EQ(CheckWorkersFit(cluster, 65).message(),
            "cluster \"dtfm_0_data_center\" has 8 machines; 65 workers, 8 per machine, need 9");
  EXPECT_EQ(CheckWorkersFit(*LoadCluster("laptop"), 1024), absl::OkStatus());
}

}  // namespace
}  // namespace starling
