#include <cmath>
#include <string>
#include <vector>

#include "glog/logging.h"
#include "gtest/gtest.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

void Awc(const DenseStep& step, Matrix* x) {
  const Matrix gradient = step.gradient(*x);
  *x = Multiply(step.w, *x);
  step.update(gradient, x);
}

void Atc(const DenseStep& step, Matrix* x) {
  step.update(step.gradient(*x), x);
  *x = Multiply(step.w, *x);
}

std::vector<AlgorithmCase> Cases() {
  // AWC is the default; dpsgd is the name for gossip with sgd.
  return {{"Awc", "gossip", "", Awc}, {"Atc", "dpsgd", "order: ATC", Atc}};
}

INSTANTIATE_TEST_SUITE_P(Gossip, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(Gossip, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

NamedTopology Named(const std::string& name, int workers) {
  for (const NamedTopology& topology : TestTopologies(workers)) {
    if (topology.name == name) return topology;
  }
  LOG(FATAL) << name;
}

TestRun RunOf(const std::string& order, const NamedTopology& topology) {
  TestRun run;
  run.algorithm = "gossip";
  run.config = "order: " + order;
  run.topology = topology.topology;
  run.objective = Quadratics::Heterogeneous(topology.topology->size());
  run.bucket_bytes = 1 << 20;
  return run;
}

// ATC with plain descent over all is one worker's descent on the mean objective: to 1e-12 in
// double, 1e-6 in float.
TEST(Gossip, CompleteAtcIsOneWorkerOnTheMeanObjective) {
  for (int n : {2, 3, 8}) {
    for (DType type : {DType::kF32, DType::kF64}) {
      TestRun run = RunOf("ATC", Named("complete", n));
      run.type = type;
      run.optimizer = "sgd";
      TestRun alone = run;
      alone.objective = run.objective.Mean();
      alone.topology = Named("complete", 1).topology;
      const Matrix expected(n, Train(alone)->x[0]);
      EXPECT_LE(RelativeDifference(Train(run)->x, expected), type == DType::kF32 ? 1e-6 : 1e-12)
          << n << " workers, " << DTypeName(type);
    }
  }
}

// sqrt(1/n sum_i |x_i - optimum|^2) where it stops changing.
double Bias(const std::string& order, double lr, const std::string& momentum = "0") {
  TestRun run = RunOf(order, Named("ring", 8));
  run.steps = 1000;
  run.lr = [lr](int64_t) { return lr; };
  run.optimizer = "sgd";
  run.optimizer_config = "momentum: " + momentum;
  const Matrix x = Train(run)->x;
  const std::vector<double> optimum = run.objective.Optimum();
  double squares = 0;
  for (const auto& row : x) {
    for (size_t k = 0; k < row.size(); ++k) squares += std::pow(row[k] - optimum[k], 2);
  }
  return std::sqrt(squares / 8);
}

// With a constant learning rate and heterogeneous data gossip stops away from the optimum: by an
// amount proportional to the rate (for small ones), and less far in the order ATC.
TEST(Gossip, BiasOfTheFixedPoint) {
  EXPECT_GT(Bias("AWC", 0.05), 1.1 * Bias("ATC", 0.05));
  for (const char* order : {"AWC", "ATC"}) {
    const double bias = Bias(order, 0.02);
    EXPECT_GT(bias, 1e-2) << order;
    EXPECT_NEAR(bias / Bias(order, 0.01), 2, 0.15) << order;
  }
}

// Momentum beta moves it to where plain descent with lr / (1 - beta) stops.
TEST(Gossip, MomentumHasTheBiasOfALargerRate) {
  for (const char* order : {"AWC", "ATC"}) {
    EXPECT_NEAR(Bias(order, 0.005, "0.9"), Bias(order, 0.05), 1e-9) << order;
  }
}

}  // namespace
}  // namespace starling
