#include "core/config/problem.h"

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(TextLocationsTest, FindsThePathOrWhatEnclosesIt) {
  TextLocations locations;
  locations.Record("", "a.textproto");
  locations.Record("arm", "a.textproto:3:1");
  locations.Record("arm[1]", "a.textproto:4:1");
  locations.Record("arm[1].name", "a.textproto:4:7");
  EXPECT_EQ(locations.Find("arm[1].name"), "a.textproto:4:7");
  EXPECT_EQ(locations.Find("arm[1].optimizer.config.lr"), "a.textproto:4:1");
  EXPECT_EQ(locations.Find("arm[0].name"), "a.textproto:3:1");
  EXPECT_EQ(locations.Find("train.epochs"), "a.textproto");
  EXPECT_EQ(TextLocations().Find("train.epochs"), "");
}

TEST(TextLocationsTest, ALaterOriginReplacesAllBeneath) {
  TextLocations locations;
  locations.Record("opt", "f:1:1");
  locations.Record("opt.lr", "f:1:2");
  locations.Record("opt[0].lr", "f:1:3");
  locations.Record("option", "f:2:1");
  locations.Record("opt", "--set opt={}");
  EXPECT_EQ(locations.Find("opt.lr"), "--set opt={}");
  EXPECT_EQ(locations.Find("opt[0].lr"), "--set opt={}");
  EXPECT_EQ(locations.Find("option"), "f:2:1");
  locations.Record("", "g");
  EXPECT_EQ(locations.Find("option"), "g");
}

TEST(TextLocationsTest, BelowIsTheMessageAlone) {
  TextLocations locations;
  locations.Record("base", "f:2:1");
  locations.Record("base.train.epochs", "f:3:1");
  locations.Record("basement", "f:9:1");
  const TextLocations below = locations.Below("base");
  EXPECT_EQ(below.Find("train.epochs"), "f:3:1");
  EXPECT_EQ(below.Find("train.max_steps"), "f:2:1");
  EXPECT_EQ(below.Find("ment"), "f:2:1");
}

TEST(ProblemsStatusTest, HasALineForEachProblemWithItsOrigin) {
  TextLocations locations;
  locations.Record("epochs", "f:1:2");
  const absl::Status status =
      ProblemsStatus({{"epochs", "epochs is -1"}, {"seed", "seed is 0"}}, locations);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "f:1:2: epochs is -1\nseed is 0");
  EXPECT_TRUE(ProblemsStatus({}, locations).ok());
}

}  // namespace
}  // namespace starling
