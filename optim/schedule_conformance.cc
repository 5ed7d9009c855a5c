#include "optim/schedule_conformance.h"

#include <memory>

#include "core/create_from_text.h"

namespace starling {
namespace {

std::unique_ptr<Schedule> Create(const ScheduleCase& test_case) {
  return CreateFromText<Schedule>(test_case.plugin, test_case.config, test_case.context).value();
}

TEST_P(ScheduleConformanceTest, GivesTheFactors) {
  const auto schedule = Create(GetParam());
  for (const auto& [step, factor] : GetParam().factors) {
    EXPECT_NEAR(schedule->Factor(step), factor, 1e-15) << "step " << step;
  }
}

// At every step of the run and long after its planned end.
TEST_P(ScheduleConformanceTest, StaysBetweenZeroAndOne) {
  const auto schedule = Create(GetParam());
  for (int64_t step = 0; step < 3 * GetParam().context.steps + 10; ++step) {
    ASSERT_GE(schedule->Factor(step), 0) << "step " << step;
    ASSERT_LE(schedule->Factor(step), 1) << "step " << step;
  }
}

TEST_P(ScheduleConformanceTest, DependsOnTheStepOnly) {
  const auto forwards = Create(GetParam()), backwards = Create(GetParam());
  const int64_t steps = 2 * GetParam().context.steps;
  std::vector<double> factors;
  for (int64_t step = 0; step < steps; ++step) factors.push_back(forwards->Factor(step));
  for (int64_t step = steps - 1; step >= 0; --step) {
    ASSERT_EQ(backwards->Factor(step), factors[step]) << "step " << step;
  }
}

TEST_P(ScheduleConformanceTest, WarmsUpLinearly) {
  ScheduleCase test_case = GetParam();
  if (test_case.config.find("warmup") != std::string::npos) GTEST_SKIP() << "has its own warm-up";
  test_case.config += " warmup { steps: 4 factor: 0.2 }";
  const auto schedule = Create(test_case);
  EXPECT_DOUBLE_EQ(schedule->Factor(0), 0.4);
  EXPECT_DOUBLE_EQ(schedule->Factor(1), 0.6);
  EXPECT_DOUBLE_EQ(schedule->Factor(3), 1);
}

}  // namespace
}  // namespace starling
