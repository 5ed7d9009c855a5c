#include <vector>

#include "gtest/gtest.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

void MeanGradient(const DenseStep& step, Matrix* x) {
  step.update(Matrix(x->size(), MeanRow(step.gradient(*x))), x);
}

std::vector<AlgorithmCase> Cases() { return {{"Default", "allreduce", "", MeanGradient}}; }

INSTANTIATE_TEST_SUITE_P(Allreduce, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(Allreduce, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

}  // namespace
}  // namespace starling
