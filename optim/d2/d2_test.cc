#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// The paper's recursion, with x^{t-1} and lr_{t-1} g^{t-1} kept as they are.
DenseReference Reference() {
  return [x_before = Matrix(), g_before = Matrix()](const DenseStep& step, Matrix* x) mutable {
    const Matrix x_now = *x, g = step.gradient(*x);
    Matrix moved = *x;
    step.update(g, &moved);  // x^t - lr_t g^t
    Matrix lr_g = *x;
    for (size_t i = 0; i < x->size(); ++i) {
      for (size_t k = 0; k < (*x)[i].size(); ++k) {
        lr_g[i][k] = x_now[i][k] - moved[i][k];
        if (x_before.empty()) {
          (*x)[i][k] -= lr_g[i][k];
        } else {
          (*x)[i][k] = 2 * x_now[i][k] - x_before[i][k] - lr_g[i][k] + g_before[i][k];
        }
      }
    }
    *x = Multiply(step.w, *x);
    x_before = x_now;
    g_before = lr_g;
  };
}

// x^{t+1} - x^t is the last difference plus something: a rounding error of one step comes back in
// every later one, t^2 / 2 in all after t steps.
constexpr double kF32Tolerance = 10 * 10 / 2 * 6e-8;

std::vector<AlgorithmCase> Cases() {
  return {{"Default", "d2", "", Reference(), /*mixing=*/{}, kF32Tolerance}};
}

INSTANTIATE_TEST_SUITE_P(D2, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(D2, AlgorithmReferenceTest, testing::ValuesIn(Cases()), AlgorithmCaseName);

// A ring of 8 with (I + W) / 2, whose smallest eigenvalue is 1/3.
TestRun OnALazyRing(const std::string& algorithm) {
  TestRun run;
  run.algorithm = algorithm;
  for (const NamedTopology& topology : TestTopologies(8)) {
    if (topology.name == "ring") run.topology = topology.topology;
  }
  run.objective = Quadratics::Heterogeneous(8);
  run.mixing.gamma = 0.5;
  run.bucket_bytes = 1 << 20;
  run.lr = [](int64_t) { return 0.05; };
  return run;
}

// The distance from where every worker should be, relative to the optimum.
double Bias(const TestRun& run) {
  return RelativeDifference(Train(run)->x, Matrix(8, run.objective.Optimum()));
}

TEST(D2, ReachesTheOptimumWhereGossipStopsBeside) {
  TestRun run = OnALazyRing("gossip");
  run.steps = 2000;
  EXPECT_GT(Bias(run), 1e-2);
  run.algorithm = "d2";
  EXPECT_LT(Bias(run), 1e-8);
}

// Yuan et al., equations (adapt), (correct) and (combine) with their (I + W) / 2.
TEST(D2, IsExactDiffusionWithHalfOfTheWeights) {
  const TestRun run = OnALazyRing("d2");
  const auto exact_diffusion = [psi = Matrix()](const DenseStep& step, Matrix* x) mutable {
    if (psi.empty()) psi = *x;
    Matrix adapted = *x;
    step.update(step.gradient(*x), &adapted);
    Matrix phi = adapted;
    for (size_t i = 0; i < phi.size(); ++i) {
      for (size_t k = 0; k < phi[i].size(); ++k) phi[i][k] += (*x)[i][k] - psi[i][k];
    }
    *x = Multiply(step.w, phi);
    psi = adapted;
  };
  EXPECT_LE(RelativeDifference(Train(run)->x, TrainDense(run, exact_diffusion)), 1e-12);
}

}  // namespace
}  // namespace starling
