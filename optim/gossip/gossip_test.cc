#include <cmath>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// AWC with staleness s: x^{t+1} = x^t + (W' - I) x^{t-s} - lr d(x^t), t counting mixings and W'
// being that of mixing t - s.
AlgorithmCase Stale(int s) {
  std::deque<std::pair<Matrix, Matrix>> sent;  // W' and x, the oldest first
  AlgorithmCase stale{absl::StrCat("AwcStale", s), "gossip", ""};
  stale.mixing.staleness = s;
  stale.reference = [s, sent](const DenseStep& step, Matrix* x) mutable {
    const Matrix gradient = step.gradient(*x);
    if (step.mixes) sent.emplace_back(step.w, *x);
    if (step.mixes && static_cast<int>(sent.size()) > s) {
      const auto& [w, old] = sent.front();
      const Matrix mixed = Multiply(w, old);
      for (size_t i = 0; i < x->size(); ++i) {
        for (size_t k = 0; k < old[i].size(); ++k) (*x)[i][k] += mixed[i][k] - old[i][k];
      }
      sent.pop_front();
    }
    step.update(gradient, x);
  };
  return stale;
}

std::vector<AlgorithmCase> Cases() {
  // AWC is the default; dpsgd is the name for gossip with sgd.
  return {{"Awc", "gossip", "", Awc}, {"Atc", "dpsgd", "order: ATC", Atc}, Stale(1), Stale(3)};
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

// How much the workers' differences have shrunk or grown after many rounds without gradients.
double Contraction(const NamedTopology& topology, int staleness, double gamma) {
  TestRun run = RunOf("AWC", topology);
  run.mixing.staleness = staleness;
  run.mixing.gamma = gamma;
  run.steps = 600;
  run.x0 = run.objective.center;
  for (auto& row : run.objective.curvature) row.assign(row.size(), 0);
  const Matrix mean(run.workers(), MeanRow(run.x0));
  return RelativeDifference(Train(run)->x, mean) / RelativeDifference(run.x0, mean);
}

// The bound on gamma (1 - lambda) that plans are held to, for lambda = 0 and for the smallest
// eigenvalue of a ring of four, -1/3.
TEST(Gossip, StaleMixingConvergesBelowItsBoundAndNotAbove) {
  for (int staleness : {1, 2, 4}) {
    const double bound = 2 * std::sin(std::acos(0.0) / (2 * staleness + 1));
    for (const auto& [name, steepest] :
         {std::pair<const char*, double>{"complete", 1}, {"ring", 4.0 / 3}}) {
      const NamedTopology topology = Named(name, 4);
      EXPECT_LT(Contraction(topology, staleness, 0.97 * bound / steepest), 0.1) << name;
      EXPECT_GT(Contraction(topology, staleness, 1.03 * bound / steepest), 10) << name;
    }
  }
}

// sqrt(1/n sum_i |x_i - optimum|^2) where it stops changing, over those who are there then.
double Bias(const std::string& order, double lr, const std::string& momentum = "0",
            const std::vector<TestChange>& changes = {}) {
  TestRun run = RunOf(order, Named("ring", 8));
  run.steps = 1000;
  run.changes = changes;
  run.lr = [lr](int64_t) { return lr; };
  run.optimizer = "sgd";
  run.optimizer_config = "momentum: " + momentum;
  Matrix x = Train(run)->x;
  Quadratics there = run.objective;
  if (!changes.empty()) {
    const std::vector<int>& away = changes.back().away;
    for (auto rank = away.rbegin(); rank != away.rend(); ++rank) {
      for (Matrix* rows : {&x, &there.curvature, &there.center}) rows->erase(rows->begin() + *rank);
    }
  }
  const std::vector<double> optimum = there.Optimum();
  double squares = 0;
  for (const auto& row : x) {
    for (size_t k = 0; k < row.size(); ++k) squares += std::pow(row[k] - optimum[k], 2);
  }
  return std::sqrt(squares / static_cast<double>(x.size()));
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

// Workers 2 and 5 leave, 5 returns: the optimum of the others is what is left with smaller rates.
TEST(Gossip, ApproachesTheOptimumOfThoseWhoAreThere) {
  const std::vector<TestChange> changes = {{50, {2}}, {100, {2, 5}}, {150, {2}}};
  for (const char* order : {"AWC", "ATC"}) {
    const double bias = Bias(order, 0.02, "0", changes);
    EXPECT_NEAR(bias / Bias(order, 0.01, "0", changes), 2, 0.15) << order;
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
