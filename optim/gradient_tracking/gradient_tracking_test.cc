#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "core/state.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// Both orders, with y^{t+1} = W^t y^t + g^{t+1} - g^t; `mixed` is W^t y^t.
DenseReference Reference(bool awc) {
  return [awc, mixed = Matrix(), g_before = Matrix()](const DenseStep& step, Matrix* x) mutable {
    const Matrix g = step.gradient(*x);
    Matrix y = g;
    if (!mixed.empty()) {
      for (size_t i = 0; i < y.size(); ++i) {
        for (size_t k = 0; k < y[i].size(); ++k) y[i][k] += mixed[i][k] - g_before[i][k];
      }
    }
    if (awc) *x = Multiply(step.w, *x);
    step.update(y, x);
    if (!awc) *x = Multiply(step.w, *x);
    mixed = Multiply(step.w, y);
    g_before = g;
  };
}

std::vector<AlgorithmCase> Cases() {
  return {{"Awc", "gradient_tracking", "", Reference(true)},
          {"Atc", "dsgt", "order: ATC", Reference(false)}};
}

INSTANTIATE_TEST_SUITE_P(GradientTracking, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(GradientTracking, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

TestRun RunOf(const std::string& algorithm, const std::string& config,
              const NamedTopology& topology) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  run.topology = topology.topology;
  run.objective = Quadratics::Heterogeneous(topology.topology->size());
  run.bucket_bytes = 1 << 20;
  return run;
}

std::vector<NamedTopology> DoublyStochastic(int workers) {
  std::vector<NamedTopology> topologies;
  for (const NamedTopology& topology : TestTopologies(workers)) {
    if (topology.topology->facts().rows_sum_to_one) topologies.push_back(topology);
  }
  return topologies;
}

// The distance from where every worker should be, relative to the optimum.
double Bias(const TestRun& run) {
  return RelativeDifference(Train(run)->x, Matrix(run.workers(), run.objective.Optimum()));
}

TEST(GradientTracking, ReachesTheOptimumWhereGossipStopsBeside) {
  for (const char* order : {"order: AWC", "order: ATC"}) {
    for (const NamedTopology& topology : DoublyStochastic(8)) {
      if (topology.name != "ring") continue;
      TestRun run = RunOf("gossip", order, topology);
      run.steps = 1000;
      run.lr = [](int64_t) { return 0.05; };
      EXPECT_GT(Bias(run), 1e-2) << order;
      run.algorithm = "gradient_tracking";
      EXPECT_LT(Bias(run), 1e-8) << order;
    }
  }
}

TEST(GradientTracking, ReachesTheOptimumOverDirectedAndChangingWeights) {
  for (const char* order : {"order: AWC", "order: ATC"}) {
    for (const NamedTopology& topology : DoublyStochastic(4)) {
      TestRun run = RunOf("gradient_tracking", order, topology);
      run.steps = 2000;
      run.lr = [](int64_t) { return 0.02; };
      EXPECT_LT(Bias(run), 1e-8) << order << ", " << topology.name;
    }
  }
}

// Workers 2 and 5 leave, 5 returns: the others' optimum, whatever 2 has wanted.
TEST(GradientTracking, ReachesTheOptimumOfThoseWhoAreThere) {
  for (const char* order : {"order: AWC", "order: ATC"}) {
    for (const NamedTopology& topology : DoublyStochastic(8)) {
      if (topology.name != "ring") continue;
      TestRun run = RunOf("gradient_tracking", order, topology);
      run.changes = {{50, {2}}, {100, {2, 5}}, {150, {2}}};
      run.steps = 2000;
      run.lr = [](int64_t) { return 0.02; };
      const Matrix x = Train(run)->x;
      Quadratics others;
      for (int worker : {0, 1, 3, 4, 5, 6, 7}) {
        others.curvature.push_back(run.objective.curvature[worker]);
        others.center.push_back(run.objective.center[worker]);
      }
      const Matrix optimum = {others.Optimum()};
      for (int worker : {0, 1, 3, 4, 5, 6, 7}) {
        EXPECT_LT(RelativeDifference({x[worker]}, optimum), 1e-8) << order << ", " << topology.name;
      }
      EXPECT_GT(RelativeDifference({run.objective.Optimum()}, optimum), 0.1);
    }
  }
}

// Keeps a copy of the states it is shown.
class Copies final : public StateVisitor {
 public:
  absl::Status Visit(absl::string_view name, Buffer state) override {
    if (state.type != DType::kF64) return absl::OkStatus();
    const auto values = state.as<double>();
    states[std::string(name)].assign(values.begin(), values.end());
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view, std::string*) override { return absl::OkStatus(); }

  std::map<std::string, std::vector<double>> states;
};

TEST(GradientTracking, TheMeanOfTheTrackersIsTheMeanGradientInEveryStep) {
  constexpr int kWorkers = 8;
  for (const auto& [order, leave] :
       {std::pair("order: AWC", false), {"order: ATC", false}, {"order: AWC", true}}) {
    for (const NamedTopology& topology : DoublyStochastic(kWorkers)) {
      TestRun run = RunOf("gradient_tracking", order, topology);
      run.every_steps = 2;
      run.steps = 40;
      if (leave) run.changes = {{11, {3}}, {22, {3, 4}}, {30, {4}}};
      std::vector<Matrix> y(run.steps, Matrix(kWorkers)), g = y;  // by step and worker
      run.after_step = [&](int64_t step, int worker, Algorithm* algorithm) {
        Copies copies;
        RETURN_IF_ERROR(algorithm->VisitState(&copies));
        y[step][worker] = copies.states["tracker"];
        g[step][worker] = copies.states["last_gradient"];
        return absl::OkStatus();
      };
      ASSERT_EQ(Train(run).status(), absl::OkStatus());
      double scale = 0;  // of the gradients, which get smaller
      for (const auto& row : g[0]) {
        for (double value : row) scale = std::max(scale, std::abs(value));
      }
      for (int step = 0; step < run.steps; ++step) {
        Matrix y_there, g_there;  // of those who are there
        for (int worker = 0; worker < kWorkers; ++worker) {
          if (y[step][worker].empty()) continue;
          y_there.push_back(y[step][worker]);
          g_there.push_back(g[step][worker]);
        }
        EXPECT_EQ(y_there.size() < kWorkers, leave && step >= 11);
        const std::vector<double> mean_y = MeanRow(y_there), mean_g = MeanRow(g_there);
        for (size_t k = 0; k < mean_y.size(); ++k) {
          ASSERT_NEAR(mean_y[k], mean_g[k], 1e-12 * scale)
              << order << ", " << topology.name << ", step " << step;
        }
      }
    }
  }
}

}  // namespace
}  // namespace starling
