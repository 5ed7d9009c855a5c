#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/config/plugin_ref.pb.h"
#include "data/partition_conformance.h"
#include "data/shards/shards.pb.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

PluginRef Ref(int64_t shards_per_worker) {
  ShardsConfig config;
  config.set_shards_per_worker(shards_per_worker);
  PluginRef ref;
  ref.set_name("shards");
  ref.mutable_config()->PackFrom(config);
  return ref;
}

PluginRef Defaults() {
  PluginRef ref;
  ref.set_name("shards");
  return ref;
}

INSTANTIATE_TEST_SUITE_P(Defaults, PartitionConformance, testing::Values(Defaults()),
                         PartitionCaseName);
INSTANTIATE_TEST_SUITE_P(One, PartitionConformance, testing::Values(Ref(1)), PartitionCaseName);
INSTANTIATE_TEST_SUITE_P(Many, PartitionConformance, testing::Values(Ref(20)), PartitionCaseName);

// As in the paper: 100 workers, two shards of equal size each, ten classes of equal size, so that
// no shard holds two classes.
TEST(ShardsTest, TwoShardsGiveAtMostTwoClasses) {
  std::vector<int32_t> labels(6000);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i * 7 % 10);
  const auto assignment = Assign(Defaults(), 100, 1, 6000, labels, 10);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  int with_two = 0;
  for (const auto& owned : assignment->owned) {
    EXPECT_EQ(owned.size(), 60u);
    std::set<int32_t> classes;
    for (int64_t example : owned) classes.insert(labels[example]);
    EXPECT_LE(classes.size(), 2u);
    with_two += classes.size() == 2 ? 1 : 0;
  }
  EXPECT_GT(with_two, 50);  // expected: 91, as 19 of 199 second shards are of the same class
}

TEST(ShardsTest, SizesDifferByNoMoreThanOneExamplePerShard) {
  const std::vector<int32_t> labels = UnevenLabels(1003, 10);
  const auto assignment = Assign(Ref(3), 7, 1, 1003, labels, 10);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  for (const auto& owned : assignment->owned) {
    EXPECT_GE(owned.size(), 3u * (1003 / 21));
    EXPECT_LE(owned.size(), 3u * (1003 / 21 + 1));
  }
}

TEST(ShardsTest, OneWorkerOwnsEverything) {
  const auto assignment = Assign(Defaults(), 1, 1, 4, {1, 0, 1, 0}, 2);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  EXPECT_EQ(assignment->owned, (std::vector<std::vector<int64_t>>{{0, 1, 2, 3}}));
}

TEST(ShardsTest, SaysHowManyShardsAreTooMany) {
  const auto assignment = Assign(Ref(4), 3, 1, 10, UnevenLabels(10, 2), 2);
  EXPECT_EQ(assignment.status(),
            absl::InvalidArgumentError("partition \"shards\": 3 workers with 4 shards each are "
                                       "more shards than the 10 examples; shards_per_worker can "
                                       "be 3 at most"));
}

TEST(ShardsTest, NeedsLabels) {
  const auto assignment = Assign(Defaults(), 2, 1, 10, {}, 0);
  EXPECT_EQ(assignment.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace starling
