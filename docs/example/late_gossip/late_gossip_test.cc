#include "gtest/gtest.h"
#include "optim/algorithm_conformance.h"

namespace starling {
namespace {

// From the first step on it is gossip in the order ATC, written here for all workers at once.
const AlgorithmCase kAtOnce = {"AtOnce", "late_gossip", "start_step: 0",
                               [](const DenseStep& step, Matrix* x) {
                                 step.update(step.gradient(*x), x);
                                 *x = Multiply(step.w, *x);
                               }};

INSTANTIATE_TEST_SUITE_P(LateGossip, AlgorithmConformanceTest, testing::Values(kAtOnce),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(LateGossip, AlgorithmReferenceTest, testing::Values(kAtOnce),
                         AlgorithmCaseName);

}  // namespace
}  // namespace starling
