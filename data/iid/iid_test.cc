#include "core/config/plugin_ref.pb.h"
#include "data/partition_conformance.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

PluginRef Ref() {
  PluginRef ref;
  ref.set_name("iid");
  return ref;
}

INSTANTIATE_TEST_SUITE_P(Defaults, PartitionConformance, testing::Values(Ref()), PartitionCaseName);

TEST(IidTest, SharesAllExamplesAndNeedsNoLabels) {
  const auto assignment = Assign(Ref(), 5, 1, 3, {}, 0);
  ASSERT_TRUE(assignment.ok()) << assignment.status();
  EXPECT_TRUE(assignment->shared);
  EXPECT_TRUE(assignment->owned.empty());
}

}  // namespace
}  // namespace starling
