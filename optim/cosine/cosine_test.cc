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
      {"Plain",
       "cosine",
       "",
       kRun,
       {{0, 1}, {25, 0.5 + std::sqrt(0.125)}, {50, 0.5}, {100, 0}, {500, 0}}},
      {"FinalFactor",
       "cosine",
       "final_factor: 0.2",
       kRun,
       {{0, 1}, {50, 0.6}, {100, 0.2}, {500, 0.2}}},
      {"Warmup",
       "cosine",
       "warmup { steps: 20 factor: 0 }",
       kRun,
       {{0, 0.05}, {9, 0.5}, {19, 1}, {20, 1}, {60, 0.5}, {100, 0}}},
      {"WarmupAllTheWay",
       "cosine",
       "warmup { steps: 200 factor: 0 }",
       kRun,
       {{99, 0.5}, {199, 1}, {200, 0}}},
  };
}

INSTANTIATE_TEST_SUITE_P(Cosine, ScheduleConformanceTest, testing::ValuesIn(Cases()),
                         ScheduleCaseName);

TEST(CosineTest, MustKnowTheLengthOfTheRun) {
  const auto schedule = CreateFromText<Schedule>("cosine", "", {0, 10});
  EXPECT_EQ(schedule.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(schedule.status().message(),
            "schedule \"cosine\" must know the length of the run; set train.epochs or "
            "train.max_steps");
}

}  // namespace
}  // namespace starling
