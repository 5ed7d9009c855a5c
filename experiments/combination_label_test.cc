#include "experiments/combination_label.h"

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(CombinationLabelTest, SaysWhatIsClearWithoutItsPath) {
  EXPECT_EQ(CombinationLabel({"arm", "topology.name", "optimizer.config.lr", "mixing.overlap"},
                             {"fast", "ring", "0.1", "true"}),
            "fast, ring, lr=0.1, overlap=true");
  EXPECT_EQ(CombinationLabel({"workers", "seed"}, {"", "3"}), "seed=3");
  EXPECT_EQ(CombinationLabel({}, {}), "");
}

TEST(CombinationLabelTest, PathsThatEndAlikeStandInFull) {
  EXPECT_EQ(CombinationLabel({"optimizer.config.warmup.steps", "schedule.config.warmup.steps"},
                             {"1", "2"}),
            "optimizer.config.warmup.steps=1, schedule.config.warmup.steps=2");
}

}  // namespace
}  // namespace starling
