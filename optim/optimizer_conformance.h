// Tests that every optimizer passes. A plug-in's test lists its configs, each with a reference
// written there, in double and without looking at the plug-in's own rule:
//
//   std::vector<OptimizerCase> Cases() {
//     return {{"Plain", "sgd", "lr: 0.5", [](const ReferenceStep& s, ReferenceState&) {
//                return s.x - s.lr * s.gradient;
//              }}};
//   }
//   INSTANTIATE_TEST_SUITE_P(Sgd, OptimizerConformanceTest, testing::ValuesIn(Cases()), CaseName);
//   INSTANTIATE_TEST_SUITE_P(Sgd, OptimizerReferenceTest, testing::ValuesIn(Cases()), CaseName);
//
// OptimizerConformanceTest holds what needs no reference: bits do not depend on ranges, vector
// unit or place of the mixing; state is complete; weight decay spares biases; no allocation.
#ifndef OPTIM_OPTIMIZER_CONFORMANCE_H_
#define OPTIM_OPTIMIZER_CONFORMANCE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "gtest/gtest.h"

namespace starling {

// One step of one element.
struct ReferenceStep {
  int64_t step;  // from 1
  double x;      // mixed
  double gradient;
  double lr;
  bool decays;  // the tensor has two or more axes
};

// What the rule remembers of an element; zeros before the first step.
using ReferenceState = std::array<double, 3>;

// Returns the new x.
using ReferenceRule = std::function<double(const ReferenceStep& step, ReferenceState& state)>;

struct OptimizerCase {
  std::string name;    // of the test: letters and digits
  std::string plugin;  // registered name
  std::string config;  // the plug-in's config message in text format
  ReferenceRule reference = nullptr;
  bool spares_biases = true;  // no weight decay on tensors with one axis
};

inline std::string CaseName(const testing::TestParamInfo<OptimizerCase>& info) {
  return info.param.name;
}

class OptimizerConformanceTest : public testing::TestWithParam<OptimizerCase> {};
class OptimizerReferenceTest : public testing::TestWithParam<OptimizerCase> {};

}  // namespace starling

#endif  // OPTIM_OPTIMIZER_CONFORMANCE_H_
