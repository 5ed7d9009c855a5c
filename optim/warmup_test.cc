#include "optim/warmup.h"

#include "gtest/gtest.h"
#include "optim/schedule.h"
#include "optim/warmup.pb.h"

namespace starling {
namespace {

Schedule::Context ContextOf(int64_t steps_per_epoch) {
  Schedule::Context context;
  context.steps = 1000;
  context.steps_per_epoch = steps_per_epoch;
  return context;
}

TEST(LinearWarmupTest, RisesToOne) {
  Warmup config;
  config.set_steps(4);
  config.set_factor(0.2);
  const LinearWarmup warmup = LinearWarmup::Create(config, ContextOf(100)).value();
  EXPECT_DOUBLE_EQ(warmup.Factor(0), 0.4);
  EXPECT_DOUBLE_EQ(warmup.Factor(1), 0.6);
  EXPECT_DOUBLE_EQ(warmup.Factor(3), 1.0);
  EXPECT_TRUE(warmup.Covers(3));
  EXPECT_FALSE(warmup.Covers(4));
}

TEST(LinearWarmupTest, LengthInEpochs) {
  Warmup config;
  config.set_epochs(2.5);
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(100))->steps(), 250);
}

TEST(LinearWarmupTest, DefaultLength) {
  Warmup config;
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(100))->steps(), 0);
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(100), 4000)->steps(), 4000);
  config.set_steps(0);
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(100), 4000)->steps(), 0);
}

TEST(LinearWarmupTest, TwoLengthsAreOneTooMany) {
  Warmup config;
  config.set_steps(10);
  config.set_epochs(2);
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(100)).status().message(),
            "warmup.steps is 10 and warmup.epochs is 2; give one of them");
}

TEST(LinearWarmupTest, EpochsNeedEpochs) {
  Warmup config;
  config.set_epochs(2);
  EXPECT_EQ(LinearWarmup::Create(config, ContextOf(0)).status().message(),
            "warmup.epochs is 2, but this run has no epochs; give warmup.steps");
}

}  // namespace
}  // namespace starling
