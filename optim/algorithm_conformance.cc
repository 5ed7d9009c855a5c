#include "optim/algorithm_conformance.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "core/create_from_text.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/membership.h"
#include "topology/traffic.h"

namespace starling {
namespace {

using Launch = AlgorithmFacts::Launch;

constexpr int64_t kOneTensor = 1;     // bucket_bytes that make a bucket of every tensor,
constexpr int64_t kSome = 600;        // ... of some,
constexpr int64_t kEverything = 1e6;  // ... and one of all
constexpr char kStaysTogether[] = "claims nothing for when workers leave or return";

AlgorithmFacts FactsOf(const AlgorithmCase& algorithm) {
  const auto made = CreateFromText<Algorithm>(algorithm.plugin, algorithm.config);
  CHECK_OK(made);
  return (*made)->facts();
}

TestRun RunOf(const AlgorithmCase& algorithm, const NamedTopology& topology) {
  TestRun run;
  run.algorithm = algorithm.plugin;
  run.config = algorithm.config;
  run.topology = topology.topology;
  run.objective = Quadratics::Heterogeneous(topology.topology->size());
  run.mixing = algorithm.mixing;
  return run;
}

// Those that the algorithm is made for.
std::vector<NamedTopology> Fitting(const AlgorithmCase& algorithm,
                                   const std::vector<NamedTopology>& topologies) {
  const AlgorithmFacts needs = FactsOf(algorithm);
  std::vector<NamedTopology> fitting;
  for (const NamedTopology& named : topologies) {
    const TopologyFacts has = named.topology->facts();
    if (needs.needs_symmetric && !has.symmetric) continue;
    if (needs.needs_static && has.period != 1) continue;
    if (!has.columns_sum_to_one || (!needs.directed_ok && !has.rows_sum_to_one)) continue;
    fitting.push_back(named);
  }
  return fitting;
}

// Registered optimizers that the algorithm takes, with their defaults.
std::vector<std::string> FittingOptimizers(const AlgorithmCase& algorithm) {
  const bool only_plain = FactsOf(algorithm).own_local_rule;
  std::vector<std::string> fitting;
  for (const std::string& name : Registry<Optimizer>::Global().Names()) {
    const auto optimizer = CreateFromText<Optimizer>(name, "");
    CHECK_OK(optimizer);
    if (!only_plain || !(*optimizer)->has_momentum()) fitting.push_back(name);
  }
  return fitting;
}

// `every_steps` for mixing.every_steps, where the algorithm allows that W changes.
int Every(const AlgorithmCase& algorithm, int every_steps) {
  return FactsOf(algorithm).needs_static ? 1 : every_steps;
}

// A run that fails gives NaN, which equals nothing.
TestRunResult Trained(const TestRun& run) {
  auto result = Train(run);
  EXPECT_EQ(result.status(), absl::OkStatus());
  if (result.ok()) return *std::move(result);
  TestRunResult failed;
  failed.average.assign(kTestParameters, NAN);
  failed.x.assign(run.workers(), failed.average);
  for (auto* started :
       {&failed.started_in_begin, &failed.started_in_ready, &failed.started_in_end}) {
    started->resize(run.steps);
  }
  return failed;
}

// Workers 1 to 3 leave, 2 and 3 return: at least four workers.
TestRun WithChanges(TestRun run) {
  run.steps = 12;
  run.changes = {{3, {2}}, {6, {1, 2, 3}}, {9, {1}}};
  return run;
}

std::string Describe(const NamedTopology& topology) {
  return absl::StrCat(topology.name, " of ", topology.topology->size());
}

TEST_P(AlgorithmReferenceTest, EqualsTheDenseFormula) {
  for (int n : {1, 2, 3, 8}) {
    for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(n))) {
      TestRun run = RunOf(GetParam(), topology);
      const Matrix expected = TrainDense(run, GetParam().reference);
      for (int64_t bucket_bytes : {kOneTensor, kSome, kEverything}) {
        run.bucket_bytes = bucket_bytes;
        run.type = DType::kF64;
        EXPECT_LE(RelativeDifference(Trained(run).x, expected), 1e-12)
            << Describe(topology) << ", buckets of " << bucket_bytes << " bytes";
        run.type = DType::kF32;
        EXPECT_LE(RelativeDifference(Trained(run).x, expected), GetParam().f32_tolerance)
            << Describe(topology) << ", buckets of " << bucket_bytes << " bytes";
      }
    }
  }
}

TEST_P(AlgorithmReferenceTest, EqualsTheDenseFormulaOnEveryRegisteredTopology) {
  for (int n : {1, 2, 3, 4, 6, 8}) {
    for (const NamedTopology& topology : Fitting(GetParam(), RegisteredTopologies(n))) {
      const TestRun run = RunOf(GetParam(), topology);
      EXPECT_LE(RelativeDifference(Trained(run).x, TrainDense(run, GetParam().reference)), 1e-12)
          << Describe(topology);
    }
  }
}

TEST_P(AlgorithmReferenceTest, MixesEveryFewStepsAndInPart) {
  for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(4))) {
    for (int every_steps : {1, 2, 3}) {
      for (double gamma : {1.0, 0.6}) {
        TestRun run = RunOf(GetParam(), topology);
        run.every_steps = Every(GetParam(), every_steps);
        run.mixing.gamma = gamma;
        EXPECT_LE(RelativeDifference(Trained(run).x, TrainDense(run, GetParam().reference)), 1e-12)
            << Describe(topology) << ", every " << every_steps << ", gamma " << gamma;
      }
    }
  }
}

// Exact up to rounding, which division by the root of a second moment makes larger.
TEST_P(AlgorithmReferenceTest, TakesEveryRegisteredOptimizer) {
  for (const std::string& optimizer : FittingOptimizers(GetParam())) {
    for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(3))) {
      TestRun run = RunOf(GetParam(), topology);
      run.optimizer = optimizer;
      EXPECT_LE(RelativeDifference(Trained(run).x, TrainDense(run, GetParam().reference)), 1e-10)
          << optimizer << ", " << Describe(topology);
    }
  }
}

TEST_P(AlgorithmReferenceTest, EqualsTheDenseFormulaWhereWorkersLeaveAndReturn) {
  if (!FactsOf(GetParam()).takes_membership) GTEST_SKIP() << kStaysTogether;
  if (!GetParam().begins_anew) GTEST_SKIP() << "has state that goes on";
  std::vector<NamedTopology> topologies = TestTopologies(5);
  for (int n : {5, 6, 8}) {
    for (const NamedTopology& topology : RegisteredTopologies(n)) topologies.push_back(topology);
  }
  for (const NamedTopology& topology : Fitting(GetParam(), topologies)) {
    const TestRun run = WithChanges(RunOf(GetParam(), topology));
    EXPECT_LE(RelativeDifference(Trained(run).x, TrainDense(run, GetParam().reference)), 1e-12)
        << Describe(topology);
  }
}

TEST_P(AlgorithmConformanceTest, BitsDependNeitherOnBucketsNorOnOverlap) {
  for (int n : {2, 5}) {
    for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(n))) {
      TestRun run = RunOf(GetParam(), topology);
      if (n == 5 && FactsOf(GetParam()).takes_membership) run = WithChanges(run);
      run.type = DType::kF32;
      run.every_steps = Every(GetParam(), n == 2 ? 1 : 2);
      const Matrix expected = Trained(run).x;
      for (bool overlap : {true, false}) {
        for (int64_t bucket_bytes : {kOneTensor, kSome, kEverything}) {
          run.mixing.overlap = overlap;
          run.bucket_bytes = bucket_bytes;
          EXPECT_TRUE(SameBits(Trained(run).x, expected))
              << Describe(topology) << ", overlap " << overlap << ", buckets of " << bucket_bytes;
        }
      }
    }
  }
}

TEST_P(AlgorithmConformanceTest, EstimatingAndRestartingChangeNoBits) {
  std::vector<NamedTopology> topologies = TestTopologies(3);
  for (const NamedTopology& topology : TestTopologies(5)) topologies.push_back(topology);
  for (const NamedTopology& topology : Fitting(GetParam(), topologies)) {
    for (const std::string& optimizer : FittingOptimizers(GetParam())) {
      TestRun run = RunOf(GetParam(), topology);
      if (run.workers() == 5 && FactsOf(GetParam()).takes_membership) run = WithChanges(run);
      run.type = DType::kF32;
      run.bucket_bytes = kSome;
      run.optimizer = optimizer;
      run.every_steps = Every(GetParam(), 2);
      const Matrix expected = Trained(run).x;
      for (int every : {1, 3}) {
        run.estimate_every = every;
        EXPECT_TRUE(SameBits(Trained(run).x, expected))
            << Describe(topology) << ", estimates every " << every << ", " << optimizer;
      }
      run.estimate_every = 0;
      for (int after : {1, 4, 5, 6}) {
        run.restart_after = after;
        EXPECT_TRUE(SameBits(Trained(run).x, expected))
            << Describe(topology) << ", restart after " << after << ", " << optimizer;
      }
    }
  }
}

// Without gradients nothing but mixing happens, and that keeps the average.
TEST_P(AlgorithmConformanceTest, KeepsTheAverage) {
  for (int n : {1, 2, 3, 8}) {
    std::vector<NamedTopology> topologies = TestTopologies(n);
    for (const NamedTopology& topology : RegisteredTopologies(n)) topologies.push_back(topology);
    for (const NamedTopology& topology : Fitting(GetParam(), topologies)) {
      TestRun run = RunOf(GetParam(), topology);
      run.x0 = run.objective.center;
      for (auto& row : run.objective.curvature) row.assign(row.size(), 0);
      EXPECT_LE(RelativeDifference({Trained(run).average}, {MeanRow(run.x0)}), 1e-12)
          << Describe(topology);
    }
  }
}

// Where workers leave or return, and in the steps until the next time, those who are there keep the
// average of what they had, one that returns having what its neighbour had. The weights of their
// estimates add up to their number: no push-sum mass is lost.
TEST_P(AlgorithmConformanceTest, KeepsTheAverageOfThoseWhoAreThere) {
  if (!FactsOf(GetParam()).takes_membership) GTEST_SKIP() << kStaysTogether;
  if (FactsOf(GetParam()).state_is_shared) GTEST_SKIP() << "workers do not begin differently";
  for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(5))) {
    TestRun run = WithChanges(RunOf(GetParam(), topology));
    run.x0 = run.objective.center;
    for (auto& row : run.objective.curvature) row.assign(row.size(), 0);
    std::vector<std::vector<double>> weight(run.steps, std::vector<double>(run.workers()));
    run.after_step = [&](int64_t step, int worker, Algorithm* algorithm) {
      Arena numerator(TestLayout(run.bucket_bytes, run.type).size, run.type);
      RETURN_IF_ERROR(algorithm->Quiesce());
      return algorithm->Estimate(numerator.buffer(), &weight[step][worker]);
    };
    std::vector<std::shared_ptr<const Topology>> owned;
    const std::vector<Membership> memberships = MembershipsOf(run, &owned);
    for (size_t m = 1; m < memberships.size(); ++m) {
      TestRun until = run, next = run;
      until.steps = static_cast<int>(run.changes[m - 1].step);
      if (m < run.changes.size()) next.steps = static_cast<int>(run.changes[m].step);
      const Matrix before = Trained(until).x;
      Matrix kept;
      for (int rank : memberships[m].living()) {
        const bool stays = memberships[m - 1].alive[rank];
        const int giver = stays ? rank : GiverTo(rank, memberships[m - 1], memberships[m]);
        kept.push_back(before[giver]);
      }
      EXPECT_LE(RelativeDifference({Trained(next).average}, {MeanRow(kept)}), 1e-12)
          << Describe(topology) << ", change " << m;
      for (int step = until.steps; step < next.steps; ++step) {
        const double sum = std::accumulate(weight[step].begin(), weight[step].end(), 0.0);
        EXPECT_NEAR(sum, static_cast<double>(kept.size()), 1e-12) << Describe(topology);
      }
    }
  }
}

TEST_P(AlgorithmConformanceTest, EqualParametersStayEqualWhereClaimed) {
  if (!FactsOf(GetParam()).equals_mean_gradient) GTEST_SKIP() << "not claimed";
  for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(4))) {
    const TestRun run = RunOf(GetParam(), topology);
    const Matrix x = Trained(run).x;
    for (const auto& row : x) EXPECT_TRUE(SameBits({row}, {x[0]})) << Describe(topology);
    // ... also those of one that has returned, whose moments must be the others'.
    for (const std::string& optimizer : FittingOptimizers(GetParam())) {
      if (!FactsOf(GetParam()).takes_membership) break;
      TestRun run = WithChanges(RunOf(GetParam(), topology));
      run.optimizer = optimizer;
      const Matrix x = Trained(run).x;
      EXPECT_FALSE(SameBits({x[1]}, {x[0]})) << "worker 1 is not away";
      EXPECT_TRUE(SameBits({x[2]}, {x[0]})) << optimizer << ", " << Describe(topology);
    }
    // ... and are those of one worker that descends the mean objective.
    TestRun alone = run;
    alone.objective = run.objective.Mean();
    alone.topology = TestTopologies(1)[0].topology;
    EXPECT_LE(RelativeDifference({x[0]}, Trained(alone).x), 1e-12) << Describe(topology);
  }
}

// Who claims to be deterministic gives the same bits again, without a reference to hold it to.
TEST_P(AlgorithmConformanceTest, RepeatsItselfWhereClaimed) {
  if (!FactsOf(GetParam()).deterministic) GTEST_SKIP() << "not claimed";
  for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(8))) {
    TestRun run = RunOf(GetParam(), topology);
    run.type = DType::kF32;
    EXPECT_TRUE(SameBits(Trained(run).x, Trained(run).x)) << Describe(topology);
  }
}

// In the middle of a run: exchanges start where the facts say, and carry what they say.
TEST_P(AlgorithmConformanceTest, SendsWhenAndWhatIsClaimed) {
  constexpr int kWorkers = 4;
  for (const NamedTopology& topology : Fitting(GetParam(), TestTopologies(kWorkers))) {
    const TestRun run = RunOf(GetParam(), topology);
    const TestRunResult result = Trained(run);
    const AlgorithmFacts& facts = result.facts;
    for (int step = 1; step + 1 < run.steps; ++step) {
      EXPECT_EQ(result.started_in_begin[step] > 0, facts.launch == Launch::kStepBegin);
      if (facts.launch == Launch::kBucketReady && (step + 1) % facts.exchange_every == 0) {
        EXPECT_GT(result.started_in_ready[step], 0);
      }
    }
    if (facts.launch == Launch::kNever) {
      EXPECT_EQ(result.bytes_sent, 0);
      continue;
    }
    std::vector<int> everyone(kWorkers);
    std::iota(everyone.begin(), everyone.end(), 0);
    const double model_bytes = 8.0 * TestLayout(1, run.type).size;
    // Every worker sends to the others of its groups, or to those that it has an edge to.
    const auto traffic = [&](const MixingRound& round) {
      if (!facts.groups_as_edges) return TrafficOfRound(round, 2, model_bytes);
      std::vector<Edge> edges;
      for (int rank = 0; rank < kWorkers; ++rank) {
        for (const Edge& edge : round.in(rank)) edges.push_back(edge);
      }
      return TrafficOfRound(MixingRound::FromEdges(kWorkers, edges), 2, model_bytes);
    };
    double predicted = 0, weights = 0;
    for (int64_t step = 0; step < run.steps; ++step) {
      if ((step + 1) % facts.exchange_every != 0) continue;
      const MixingRound round = facts.needs_topology
                                    ? run.topology->Round(step)
                                    : MixingRound::FromGroups(kWorkers, {everyone});
      for (double bytes : traffic(round).worker_bytes) {
        predicted += facts.vectors_per_message * bytes;
        weights += bytes * sizeof(double) / model_bytes;
      }
    }
    // Push-sum sends one more number along, where it must.
    const auto sent = static_cast<double>(result.bytes_sent);
    const bool must_send_weights = !run.topology->facts().rows_sum_to_one;
    if (must_send_weights || (facts.directed_ok && sent > predicted)) predicted += weights;
    EXPECT_NEAR(sent, predicted, 1e-6 * predicted) << Describe(topology);
  }
}

}  // namespace
}  // namespace starling
