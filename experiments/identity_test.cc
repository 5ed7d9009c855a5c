#include "experiments/identity.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(IdentityTest, HowIsClearedAndWhatIsKept) {
  Experiment config;
  config.set_name("a");
  config.set_workers(4);
  config.mutable_mixing()->set_overlap(false);
  config.mutable_mixing()->set_gamma(0.5);
  config.mutable_train()->set_bucket_mb(3);
  config.mutable_train()->set_max_steps(9);
  ClearHow(&config);
  EXPECT_FALSE(config.has_name());
  EXPECT_FALSE(config.mixing().has_overlap());
  EXPECT_FALSE(config.train().has_bucket_mb());
  EXPECT_EQ(config.workers(), 4);
  EXPECT_EQ(config.mixing().gamma(), 0.5);
  EXPECT_EQ(config.train().max_steps(), 9);
}

TEST(IdentityTest, BucketsThatAreClippedAloneCount) {
  Experiment config;
  config.mutable_train()->set_bucket_mb(3);
  config.mutable_train()->set_grad_clip_norm(1);
  config.mutable_train()->set_grad_clip_per(Train::BUCKET);
  ClearHow(&config);
  EXPECT_EQ(config.train().bucket_mb(), 3);
}

TEST(IdentityTest, IsHowKnowsPathsBelow) {
  EXPECT_TRUE(IsHow("backend.config.cluster"));
  EXPECT_TRUE(IsHow("metric_sink[1].name"));
  EXPECT_TRUE(IsHow("mixing.overlap"));
  EXPECT_FALSE(IsHow("mixing.overlapping"));
  EXPECT_FALSE(IsHow("mixing.gamma"));
}

TEST(IdentityTest, DifferencesAreTold) {
  Experiment before, now;
  EXPECT_THAT(Differences(before, now), IsEmpty());
  before.set_workers(4);
  now.set_workers(5);
  now.mutable_train()->set_max_steps(3);
  before.add_metric_sink()->set_name("csv");
  now.add_metric_sink()->set_name("jsonl");
  std::vector<std::string> lines;
  for (const ConfigDifference& difference : Differences(before, now)) {
    lines.push_back(difference.text());
  }
  EXPECT_THAT(lines, ElementsAre("workers was 4 and is 5 now",
                                 "metric_sink[0].name was \"csv\" and is \"jsonl\" now",
                                 "train was absent and is { max_steps: 3 } now"));
}

}  // namespace
}  // namespace starling
