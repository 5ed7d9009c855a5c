#include <vector>

#include "gtest/gtest.h"
#include "optim/schedule.h"
#include "optim/schedule_conformance.h"

namespace starling {
namespace {

constexpr Schedule::Context kRun{/*steps=*/100, /*steps_per_epoch=*/10};

std::vector<ScheduleCase> Cases() {
  return {
      {"Plain", "constant", "", kRun, {{0, 1}, {50, 1}, {1000, 1}}},
      {"Warmup",
       "constant",
       "warmup { epochs: 1 }",
       kRun,
       {{0, 0.109}, {4, 0.505}, {9, 1}, {10, 1}}},
  };
}

INSTANTIATE_TEST_SUITE_P(Constant, ScheduleConformanceTest, testing::ValuesIn(Cases()),
                         ScheduleCaseName);

}  // namespace
}  // namespace starling
