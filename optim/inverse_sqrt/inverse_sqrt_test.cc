#include <cmath>
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
      // Transformer base: 4000 steps from a hundredth.
      {"Default",
       "inverse_sqrt",
       "",
       kRun,
       {{0, 0.99 / 4000 + 0.01},
        {1999, 0.505},
        {3999, 1},
        {4000, std::sqrt(4000.0 / 4001)},
        {15999, 0.5}}},
      {"Short",
       "inverse_sqrt",
       "warmup { epochs: 2.5 factor: 0 }",
       kRun,
       {{0, 0.04}, {24, 1}, {99, 0.5}}},
  };
}

INSTANTIATE_TEST_SUITE_P(InverseSqrt, ScheduleConformanceTest, testing::ValuesIn(Cases()),
                         ScheduleCaseName);

TEST(InverseSqrtTest, NeedsAWarmup) {
  const auto schedule = CreateFromText<Schedule>("inverse_sqrt", "warmup { steps: 0 }", kRun);
  EXPECT_EQ(schedule.status().message(),
            "schedule \"inverse_sqrt\" has a warm-up of 0 steps, which leaves no learning rate; "
            "give it at least 1");
}

}  // namespace
}  // namespace starling
