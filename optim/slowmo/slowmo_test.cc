#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// Algorithm 1 of the paper, line by line.
DenseReference Reference(int64_t local_steps, double beta, double alpha) {
  return [=, x0 = Matrix(), u = std::vector<double>()](const DenseStep& step, Matrix* x) mutable {
    if (x0.empty()) {
      x0 = *x;
      u.assign((*x)[0].size(), 0.0);
    }
    step.update(step.gradient(*x), x);
    if ((step.step + 1) % local_steps != 0) return;
    const std::vector<double> x_tau = MeanRow(*x);
    for (size_t k = 0; k < u.size(); ++k) {
      u[k] = beta * u[k] + (x0[0][k] - x_tau[k]) / step.lr;
      for (auto& row : x0) row[k] -= alpha * step.lr * u[k];
    }
    *x = x0;
  };
}

std::vector<AlgorithmCase> Cases() {
  std::vector<AlgorithmCase> cases = {
      {"Published", "slowmo", "local_steps: 3", Reference(3, 0.5, 1)},
      {"EveryStep", "slow-momentum", "local_steps: 1 beta: 0.9 alpha: 0.7", Reference(1, 0.9, 0.7)},
      {"Halfway", "slowmo", "local_steps: 2 beta: 0 alpha: 0.5", Reference(2, 0, 0.5)},
      {"Default", "slowmo", "", Reference(48, 0.5, 1)}};
  // The momentum goes on where workers leave or return.
  for (AlgorithmCase& algorithm : cases) algorithm.begins_anew = false;
  return cases;
}

INSTANTIATE_TEST_SUITE_P(SlowMo, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(SlowMo, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

TestRun RunOf(const std::string& algorithm, const std::string& config, DType type) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  run.objective = Quadratics::Heterogeneous(5);
  run.type = type;
  return run;
}

TEST(SlowMo, WithoutMomentumIsLocalSgdToTheBit) {
  for (DType type : {DType::kF32, DType::kF64}) {
    const TestRun slow = RunOf("slowmo", "local_steps: 3 alpha: 1 beta: 0", type);
    const TestRun local = RunOf("local_sgd", "local_steps: 3", type);
    EXPECT_TRUE(SameBits(Train(slow)->x, Train(local)->x)) << DTypeName(type);
  }
}

// One worker, f = x^2/2 - x from 0, lr 1/2, one local step: g = -1, -1/4, ... by hand.
TEST(SlowMo, FirstStepsByHand) {
  TestRun run = RunOf("slowmo", "local_steps: 1 beta: 0.5 alpha: 1", DType::kF64);
  run.objective = {Matrix(1, std::vector<double>(kTestParameters, 1.0)),
                   Matrix(1, std::vector<double>(kTestParameters, 1.0))};
  run.x0 = Matrix(1, std::vector<double>(kTestParameters, 0.0));
  run.lr = [](int64_t) { return 0.5; };
  // u = -1, x = 1/2;  u = -1/2 - 1/2, x = 1;  u = -1/2, x = 5/4.
  for (const auto& [steps, x] : std::vector<std::pair<int, double>>{{1, 0.5}, {2, 1}, {3, 1.25}}) {
    run.steps = steps;
    EXPECT_EQ(Train(run)->x[0][0], x) << steps;
  }
}

TEST(SlowMo, SurvivesALearningRateOfZero) {
  TestRun run = RunOf("slowmo", "local_steps: 2", DType::kF64);
  run.lr = [](int64_t step) { return step == 3 ? 0 : 0.1; };
  const Matrix x = Train(run)->x;
  for (double value : x[0]) EXPECT_TRUE(std::isfinite(value));
}

TEST(SlowMo, RangesOfItsFields) {
  const auto message = [](const char* config) {
    return std::string(CreateFromText<Algorithm>("slowmo", config).status().message());
  };
  EXPECT_EQ(message("local_steps: 0"),
            "algorithm \"slowmo\": local_steps is 0; it must be at least 1");
  EXPECT_EQ(message("beta: 1"),
            "algorithm \"slowmo\": beta is 1; it must be at least 0 and less than 1");
  EXPECT_EQ(message("alpha: 0"), "algorithm \"slowmo\": alpha is 0; it must be greater than 0");
}

}  // namespace
}  // namespace starling
