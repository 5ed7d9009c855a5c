// Every registered schedule, with the defaults of its config.
#include <string>
#include <vector>

#include "core/registry.h"
#include "gtest/gtest.h"
#include "optim/schedule.h"
#include "optim/schedule_conformance.h"

namespace starling {
namespace {

std::vector<ScheduleCase> Cases() {
  std::vector<ScheduleCase> cases;
  for (const std::string& name : Registry<Schedule>::Global().Names()) {
    cases.push_back({name, name, "", {/*steps=*/500, /*steps_per_epoch=*/10}, {}});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, ScheduleConformanceTest, testing::ValuesIn(Cases()),
                         ScheduleCaseName);

}  // namespace
}  // namespace starling
