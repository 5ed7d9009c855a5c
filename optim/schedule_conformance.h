// Tests that every schedule passes. A plug-in's test lists configs with factors computed by hand:
//
//   std::vector<ScheduleCase> Cases() {
//     return {{"Plain", "constant", "", {/*steps=*/100, /*steps_per_epoch=*/10}, {{0, 1}}}};
//   }
//   INSTANTIATE_TEST_SUITE_P(Constant, ScheduleConformanceTest, testing::ValuesIn(Cases()),
//                            ScheduleCaseName);
#ifndef OPTIM_SCHEDULE_CONFORMANCE_H_
#define OPTIM_SCHEDULE_CONFORMANCE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "optim/schedule.h"

namespace starling {

struct ScheduleCase {
  std::string name;    // of the test: letters and digits
  std::string plugin;  // registered name
  std::string config;  // the plug-in's config message in text format
  Schedule::Context context;
  std::vector<std::pair<int64_t, double>> factors;  // at some steps
};

inline std::string ScheduleCaseName(const testing::TestParamInfo<ScheduleCase>& info) {
  return info.param.name;
}

class ScheduleConformanceTest : public testing::TestWithParam<ScheduleCase> {};

}  // namespace starling

#endif  // OPTIM_SCHEDULE_CONFORMANCE_H_
