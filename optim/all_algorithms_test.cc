// Every registered algorithm, with the defaults of its config.
#include <string>
#include <vector>

#include "core/registry.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"

namespace starling {
namespace {

std::vector<AlgorithmCase> Cases() {
  std::vector<AlgorithmCase> cases;
  for (const std::string& name : Registry<Algorithm>::Global().Names()) {
    cases.push_back({name, name, ""});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

// Only plug-ins' own tests have references.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AlgorithmReferenceTest);

}  // namespace
}  // namespace starling
