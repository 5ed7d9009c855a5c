#include "core/run/build_stamp.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(BuildStampTest, IsACommitOrKnownToBeUnknown) {
  EXPECT_THAT(BuildCommit(), ::testing::MatchesRegex("|[0-9a-f]{40,64}"));
  EXPECT_FALSE(BuildCommit().empty() && BuildIsDirty());
}

}  // namespace
}  // namespace starling
