#include <vector>

#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/schedule.h"
#include "optim/schedule_conformance.h"

namespace starling {
namespace {

constexpr Schedule::Context kRun{/*steps=*/100, /*steps_per_epoch=*/10};

std::vector<ScheduleCase> Cases() {
  return {
      {"Default", "step", "", {1000, 10}, {{0, 1}, {299, 1}, {300, 0.1}, {599, 0.1}, {600, 0.01}}},
      {"Every",
       "step",
       "every_epochs: 1.5 gamma: 0.5",
       kRun,
       {{14, 1}, {15, 0.5}, {29, 0.5}, {30, 0.25}}},
      // The usual drops of ImageNet, and a warm-up in front of them.
      {"Milestones",
       "step",
       "milestones: [30, 60, 80] warmup { epochs: 5 }",
       {900, 10},
       {{0, 0.0298},
        {49, 1},
        {50, 1},
        {299, 1},
        {300, 0.1},
        {600, 0.01},
        {799, 0.01},
        {800, 0.001}}},
  };
}

INSTANTIATE_TEST_SUITE_P(Step, ScheduleConformanceTest, testing::ValuesIn(Cases()),
                         ScheduleCaseName);

TEST(StepTest, NeedsEpochs) {
  const auto schedule = CreateFromText<Schedule>("step", "", {100, 0});
  EXPECT_EQ(schedule.status().message(),
            "schedule \"step\" counts epochs, but this run has none; take another schedule");
}

TEST(StepTest, RefusesNegativeMilestones) {
  const auto schedule = CreateFromText<Schedule>("step", "milestones: [1, -2]", kRun);
  EXPECT_EQ(schedule.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace starling
