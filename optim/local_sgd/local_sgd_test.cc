#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

DenseReference Every(int64_t local_steps) {
  return [local_steps](const DenseStep& step, Matrix* x) {
    step.update(step.gradient(*x), x);
    if ((step.step + 1) % local_steps == 0) *x = Matrix(x->size(), MeanRow(*x));
  };
}

std::vector<AlgorithmCase> Cases() {
  return {{"EveryStep", "local_sgd", "local_steps: 1", Every(1)},
          {"EveryThird", "local-sgd", "local_steps: 3", Every(3)},
          {"Default", "local_sgd", "", Every(4)}};
}

INSTANTIATE_TEST_SUITE_P(LocalSgd, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(LocalSgd, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

// With one local step and plain descent it is All-Reduce, up to rounding.
TEST(LocalSgd, EveryStepIsOneWorkerOnTheMeanObjective) {
  TestRun run;
  run.algorithm = "local_sgd";
  run.config = "local_steps: 1";
  run.objective = Quadratics::Heterogeneous(8);
  TestRun alone = run;
  alone.objective = run.objective.Mean();
  EXPECT_LE(RelativeDifference(Train(run)->x, Matrix(8, Train(alone)->x[0])), 1e-12);
}

TEST(LocalSgd, AtLeastOneLocalStep) {
  const absl::Status status = CreateFromText<Algorithm>("local_sgd", "local_steps: 0").status();
  EXPECT_EQ(std::string(status.message()),
            "algorithm \"local_sgd\": local_steps is 0; it must be at least 1");
}

}  // namespace
}  // namespace starling
