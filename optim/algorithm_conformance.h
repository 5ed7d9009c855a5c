// Tests that every algorithm passes. A plug-in's test lists its configs, each with a reference
// written there: dense, serial, in double, all workers at once:
//
//   std::vector<AlgorithmCase> Cases() {
//     return {{"Awc", "gossip", "order: AWC", [](const DenseStep& s, Matrix* x) {
//                const Matrix gradient = s.gradient(*x);
//                *x = Multiply(s.w, *x);
//                s.update(gradient, x);
//              }}};
//   }
//   INSTANTIATE_TEST_SUITE_P(Gossip, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
//                            AlgorithmCaseName);
//   INSTANTIATE_TEST_SUITE_P(Gossip, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
//                            AlgorithmCaseName);
//
// AlgorithmConformanceTest holds what needs no reference: bits depend neither on buckets nor on
// overlap nor on evaluations, a restart changes nothing, averages are kept, facts are true; all of
// it also where workers leave and return.
// AlgorithmReferenceTest compares with the reference: over edges and groups and every topology
// that is linked into the test, for 1, 2, 3 and 8 workers, with every optimizer that is.
#ifndef OPTIM_ALGORITHM_CONFORMANCE_H_
#define OPTIM_ALGORITHM_CONFORMANCE_H_

#include <string>

#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"

namespace starling {

struct AlgorithmCase {
  std::string name;    // of the test: letters and digits
  std::string plugin;  // registered name
  std::string config;  // the plug-in's config message in text format
  DenseReference reference = nullptr;
  MixingOptions mixing = {};    // tests set gamma and overlap
  double f32_tolerance = 1e-6;  // relative, to the reference in double

  // Whether, where workers leave or return, a fresh copy of the reference can go on: the algorithm
  // has no state but the parameters, or begins anew there.
  bool begins_anew = true;
};

inline std::string AlgorithmCaseName(const testing::TestParamInfo<AlgorithmCase>& info) {
  return info.param.name;
}

class AlgorithmConformanceTest : public testing::TestWithParam<AlgorithmCase> {};
class AlgorithmReferenceTest : public testing::TestWithParam<AlgorithmCase> {};

}  // namespace starling

#endif  // OPTIM_ALGORITHM_CONFORMANCE_H_
