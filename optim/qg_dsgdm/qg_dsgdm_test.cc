#include <cmath>
#include <string>
#include <vector>

#include "core/create_from_text.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// The paper's algorithm 1, line by line; `decay` is the optimizer's weight decay.
DenseReference Reference(double beta, double mu, bool nesterov, double decay = 0) {
  return [=, m = Matrix()](const DenseStep& step, Matrix* x) mutable {
    if (m.empty()) m = Matrix(x->size(), std::vector<double>((*x)[0].size()));
    const Matrix gradient = step.gradient(*x), before = *x;
    for (size_t i = 0; i < m.size(); ++i) {
      for (size_t k = 0; k < m[i].size(); ++k) {
        const double g = gradient[i][k] + decay * (*x)[i][k];
        const double v = beta * m[i][k] + g;
        (*x)[i][k] -= step.lr * (nesterov ? g + beta * v : v);
      }
    }
    *x = Multiply(step.w, *x);
    for (size_t i = 0; i < m.size(); ++i) {
      for (size_t k = 0; k < m[i].size(); ++k) {
        m[i][k] = mu * m[i][k] + (1 - mu) * (before[i][k] - (*x)[i][k]) / step.lr;
      }
    }
  };
}

std::vector<AlgorithmCase> Cases() {
  return {{"Default", "qg_dsgdm", "", Reference(0.9, 0.9, false)},
          {"Nesterov", "qg-dsgdm", "beta: 0.8 mu: 0.7 nesterov: true", Reference(0.8, 0.7, true)},
          {"NoMemory", "quasi_global_momentum", "mu: 0", Reference(0.9, 0, false)}};
}

INSTANTIATE_TEST_SUITE_P(QgDsgdm, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(QgDsgdm, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

TestRun OnARing(const std::string& algorithm, const std::string& config) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  for (const NamedTopology& topology : TestTopologies(8)) {
    if (topology.name == "ring") run.topology = topology.topology;
  }
  run.objective = Quadratics::Heterogeneous(8);
  run.bucket_bytes = 1 << 20;
  run.optimizer = "sgd";
  return run;
}

TEST(QgDsgdm, WithoutMomentumIsGossip) {
  const TestRun run = OnARing("qg_dsgdm", "beta: 0");
  EXPECT_TRUE(SameBits(Train(run)->x, Train(OnARing("gossip", "order: ATC"))->x));
}

TEST(QgDsgdm, WeightDecayIsPartOfTheGradient) {
  for (bool nesterov : {false, true}) {
    TestRun run = OnARing("qg_dsgdm", nesterov ? "nesterov: true" : "");
    run.optimizer_config = "weight_decay: 0.1 decay_all: true";
    const Matrix expected = TrainDense(run, Reference(0.9, 0.9, nesterov, 0.1));
    EXPECT_LE(RelativeDifference(Train(run)->x, expected), 1e-12) << nesterov;
  }
}

// Where all parameters rest, so does the momentum: plain gossip and quasi-global momentum of the
// same learning rate stop at the same point, while momentum of the local gradients stops where
// plain gossip with lr / (1 - beta) does.
TEST(QgDsgdm, HasTheBiasOfPlainGossip) {
  const auto fixed_point = [](const std::string& algorithm, const std::string& config,
                              const std::string& momentum, int steps) {
    TestRun run = OnARing(algorithm, config);
    run.optimizer_config = "momentum: " + momentum;
    run.steps = steps;
    run.lr = [](int64_t) { return 0.005; };
    return Train(run)->x;
  };
  const Matrix plain = fixed_point("gossip", "order: ATC", "0", 8000);
  const Matrix quasi_global = fixed_point("qg_dsgdm", "beta: 0.9 mu: 0.9", "0", 8000);
  const Matrix local = fixed_point("gossip", "order: ATC", "0.9", 2000);
  EXPECT_LE(RelativeDifference(quasi_global, plain), 1e-9);
  EXPECT_GT(RelativeDifference(local, plain), 1e-2);
}

TEST(QgDsgdm, SurvivesALearningRateOfZero) {
  TestRun run = OnARing("qg_dsgdm", "");
  run.lr = [](int64_t step) { return step == 3 ? 0 : 0.01; };
  const Matrix x = Train(run)->x;
  for (double value : x[0]) EXPECT_TRUE(std::isfinite(value));
}

TEST(QgDsgdm, RangesOfItsFields) {
  const auto message = [](const char* config) {
    return std::string(CreateFromText<Algorithm>("qg_dsgdm", config).status().message());
  };
  EXPECT_EQ(message("beta: 1"),
            "algorithm \"qg_dsgdm\": beta is 1; it must be at least 0 and less than 1");
  EXPECT_EQ(message("mu: -0.1"),
            "algorithm \"qg_dsgdm\": mu is -0.1; it must be at least 0 and less than 1");
}

}  // namespace
}  // namespace starling
