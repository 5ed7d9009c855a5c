#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/layout.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm.h"
#include "optim/algorithm_conformance.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// Push-sum whose messages take tau mixing steps: every mixing step's u, w and weights are kept.
DenseReference Reference(size_t tau) {
  struct Sent {
    Matrix p, u, w;
  };
  return [tau, u = Matrix(), w = Matrix(), sent = std::vector<Sent>()](const DenseStep& step,
                                                                       Matrix* x) mutable {
    const size_t n = x->size();
    if (u.empty()) {
      u = *x;
      w = Matrix(n, {1.0});
    }
    step.update(step.gradient(*x), &u);
    if (step.mixes) {
      sent.push_back({step.w, u, w});
      Matrix kept = step.w;
      for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j < n; ++j) kept[i][j] = i == j ? step.w[i][j] : 0;
      }
      u = Multiply(kept, u);
      w = Multiply(kept, w);
      if (sent.size() > tau) {
        const Sent& old = sent[sent.size() - 1 - tau];
        Matrix given = old.p;
        for (size_t i = 0; i < n; ++i) given[i][i] = 0;
        const Matrix more_u = Multiply(given, old.u), more_w = Multiply(given, old.w);
        for (size_t i = 0; i < n; ++i) {
          for (size_t k = 0; k < u[i].size(); ++k) u[i][k] += more_u[i][k];
          w[i][0] += more_w[i][0];
        }
      }
    }
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 0; k < u[i].size(); ++k) (*x)[i][k] = u[i][k] / w[i][0];
    }
  };
}

std::vector<AlgorithmCase> Cases() {
  return {{"Sgp", "sgp", "", Reference(0)},
          {"NoDelay", "osgp", "tau: 0", Reference(0)},
          {"Osgp", "overlap-sgp", "", Reference(1)},
          {"LateOsgp", "osgp", "tau: 3", Reference(3)}};
}

INSTANTIATE_TEST_SUITE_P(PushSum, AlgorithmConformanceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);
INSTANTIATE_TEST_SUITE_P(PushSum, AlgorithmReferenceTest, testing::ValuesIn(Cases()),
                         AlgorithmCaseName);

TestRun RunOf(const std::string& algorithm, const std::string& config,
              const NamedTopology& topology) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  run.topology = topology.topology;
  run.objective = Quadratics::Heterogeneous(topology.topology->size());
  return run;
}

TEST(Osgp, WithoutDelayIsSgpToTheBit) {
  for (int n : {2, 3, 8}) {
    for (const NamedTopology& topology : TestTopologies(n)) {
      EXPECT_TRUE(SameBits(Train(RunOf("osgp", "tau: 0", topology))->x,
                           Train(RunOf("sgp", "", topology))->x))
          << topology.name << " of " << n;
    }
  }
}

TEST(Sgp, IsGossipToTheBitWhereRowsSumToOneToo) {
  for (int n : {2, 3, 8}) {
    for (const NamedTopology& topology : TestTopologies(n)) {
      if (!topology.topology->facts().rows_sum_to_one) continue;
      const auto sgp = Train(RunOf("sgp", "", topology));
      const auto gossip = Train(RunOf("gossip", "order: ATC", topology));
      EXPECT_TRUE(SameBits(sgp->x, gossip->x)) << topology.name << " of " << n;
      EXPECT_EQ(sgp->bytes_sent, gossip->bytes_sent) << "the weight was sent";
    }
  }
}

// Every worker's numerator and weight after every step, the weight in front.
std::vector<Matrix> Estimates(TestRun run) {
  std::vector<Matrix> estimates(run.steps, Matrix(run.workers()));
  const int64_t size = TestLayout(run.bucket_bytes, run.type).size;
  run.after_step = [&](int64_t step, int worker, Algorithm* algorithm) {
    Arena numerator(size, DType::kF64);
    double weight;
    RETURN_IF_ERROR(algorithm->Quiesce());
    RETURN_IF_ERROR(algorithm->Estimate(numerator.buffer(), &weight));
    std::vector<double>& row = estimates[step][worker];
    row.push_back(weight);
    const auto values = numerator.buffer().as<double>();
    row.insert(row.end(), values.begin(), values.end());
    return absl::OkStatus();
  };
  EXPECT_EQ(Train(run).status(), absl::OkStatus());
  return estimates;
}

TEST(Sgp, WeightStaysOneWhereRowsSumToOneToo) {
  for (const NamedTopology& topology : TestTopologies(5)) {
    double least = 1;
    for (const Matrix& workers : Estimates(RunOf("sgp", "", topology))) {
      for (const auto& row : workers) least = std::min(least, row[0]);
    }
    EXPECT_EQ(least == 1, topology.topology->facts().rows_sum_to_one) << topology.name;
  }
}

// No gradients: mass only moves.
TestRun WithoutGradients(const std::string& config, const NamedTopology& topology) {
  TestRun run = RunOf("osgp", config, topology);
  run.x0 = run.objective.center;
  for (auto& row : run.objective.curvature) row.assign(row.size(), 0);
  return run;
}

TEST(PushSum, ConservesMassInEveryStep) {
  for (int tau : {0, 1, 3}) {
    for (const NamedTopology& topology : TestTopologies(8)) {
      TestRun run = WithoutGradients(absl::StrCat("tau: ", tau), topology);
      run.steps = 30;
      run.every_steps = 2;
      const std::vector<Matrix> estimates = Estimates(run);
      for (const Matrix& workers : estimates) {
        EXPECT_NEAR(MeanRow(workers)[0], 1, 1e-12) << topology.name << ", tau " << tau;
        EXPECT_LE(RelativeDifference({MeanRow(workers)}, {MeanRow(estimates[0])}), 1e-12)
            << topology.name << ", tau " << tau;
      }
      EXPECT_NEAR(MeanRow(estimates[0])[1], MeanRow(run.x0)[0], 1e-12);
    }
  }
}

// What is taken off is what was sent, rounded, so nothing is lost over edges.
TEST(PushSum, ConservesMassThatTravelsInANarrowPrecision) {
  for (int tau : {0, 1, 3}) {
    for (const NamedTopology& topology : TestTopologies(8)) {
      if (tau == 0 && !topology.topology->Round(0).groups().empty()) continue;
      TestRun run = WithoutGradients(absl::StrCat("tau: ", tau), topology);
      run.mixing.precision = DType::kBF16;
      run.steps = 20;
      const auto result = Train(run);
      ASSERT_EQ(result.status(), absl::OkStatus());
      EXPECT_LE(RelativeDifference({result->average}, {MeanRow(run.x0)}), 1e-12)
          << topology.name << ", tau " << tau;
    }
  }
}

TEST(PushSum, ReachesTheAverageOfTheStart) {
  for (int tau : {0, 1, 3}) {
    for (const NamedTopology& topology : TestTopologies(4)) {
      TestRun run = WithoutGradients(absl::StrCat("tau: ", tau), topology);
      run.steps = 1500;
      run.bucket_bytes = 1 << 20;
      EXPECT_LE(RelativeDifference(Train(run)->x, Matrix(4, MeanRow(run.x0))), 1e-9)
          << topology.name << ", tau " << tau;
    }
  }
}

TEST(Osgp, RangeOfTau) {
  const auto osgp = CreateFromText<Algorithm>("osgp", "tau: -1");
  EXPECT_EQ(std::string(osgp.status().message()),
            "algorithm \"osgp\": tau is -1; it must be at least 0 and at most 1000");
}

}  // namespace
}  // namespace starling
