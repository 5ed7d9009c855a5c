#include "experiments/predict.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/config/resolve.h"
#include "core/registry.h"
#include "experiments/plan.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"

namespace starling {
namespace {

// Of so many ranks, two per machine.
PredictionInput InputOf(int workers) {
  PredictionInput input;
  input.cluster.set_workers_per_node(2);
  input.cluster.set_nic_gbps(1);
  EXPECT_EQ(CompleteCluster(&input.cluster), absl::OkStatus());
  input.model.set_fixed_ms(100);
  input.model.add_bucket()->set_mb(1);
  EXPECT_EQ(CompleteModelProfile(&input.model), absl::OkStatus());
  input.workers = workers;
  ResolveDefaults(&input.config);
  return input;
}

// Trains, and counts what all workers send.
double CountedBytes(const Candidate& candidate, const std::string& algorithm,
                    const std::string& config, const PredictionInput& input, int steps) {
  TestRun run;
  run.algorithm = algorithm;
  run.config = config;
  // An algorithm that takes no topology has no use for this one.
  run.topology =
      candidate.made != nullptr ? candidate.made : TestTopologies(input.workers)[0].topology;
  run.objective = Quadratics::Heterogeneous(input.workers);
  run.every_steps = input.config.mixing().every_steps();
  run.steps = steps;
  run.type = DType::kF32;
  run.bucket_bytes = int64_t{1} << 20;  // one bucket
  const auto result = Train(run);
  EXPECT_TRUE(result.ok()) << candidate.algorithm << " over " << candidate.topology << ": "
                           << result.status();
  return result.ok() ? static_cast<double>(result->bytes_sent) : 0;
}

// Every algorithm really runs over every topology that it may mix over.
TEST(Predict, BytesAreWhatIsSent) {
  int compared = 0;
  for (const int workers : {4, 6, 8}) {
    for (const int every : {1, 2}) {
      PredictionInput input = InputOf(workers);
      input.config.mutable_mixing()->set_every_steps(every);
      const double bytes =
          static_cast<double>(sizeof(float) * TestLayout(1 << 20, DType::kF32).size);
      input.model.mutable_bucket(0)->set_mb(bytes / 1e6);
      for (const Candidate& candidate : AllCandidates(input).legal) {
        SCOPED_TRACE(candidate.algorithm + " over " + candidate.topology + ", " +
                     std::to_string(workers) + " workers, every " + std::to_string(every));
        const size_t order = candidate.algorithm.find('(');
        const std::string algorithm = candidate.algorithm.substr(0, order);
        const std::string config =
            order == std::string::npos
                ? ""
                : "order: " +
                      candidate.algorithm.substr(order + 1, candidate.algorithm.size() - order - 2);
        if (candidate.made == nullptr && every > 1) continue;  // they do not mix
        const int64_t period = candidate.made != nullptr ? candidate.made->facts().period : 1;
        const int steps = static_cast<int>(2 * period * candidate.plan.exchange_every);
        PluginRef ref;
        ref.set_name(algorithm);
        const auto facts = FactsOf(ref);
        ASSERT_TRUE(facts.ok()) << facts.status();
        const double counted = CountedBytes(candidate, algorithm, config, input, steps);
        const auto table = PredictAll(input, {candidate}, OptionsFor(workers, 1));
        ASSERT_TRUE(table.ok()) << table.status();
        const double predicted = table->rows[0].step.sent_mb * 1e6 * workers * steps;
        if (facts->directed_ok) {
          // Push-sum sends its weight along, a double for each bucket of a message, if it must.
          const double with_weights = predicted * (1 + sizeof(double) / bytes);
          EXPECT_TRUE(std::abs(counted - predicted) < 1e-6 * predicted ||
                      std::abs(counted - with_weights) < 1e-6 * predicted)
              << counted << " sent, " << predicted << " predicted";
        } else {
          EXPECT_NEAR(counted, predicted, 1e-6 * predicted);
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 150);
}

TEST(Predict, PlansOfAlgorithms) {
  Mixing mixing;
  ResolveDefaults(&mixing);
  PluginRef gossip;
  gossip.set_name("gossip");
  const AlgorithmFacts facts = *FactsOf(gossip);
  ExchangePlan plan = ExchangePlanOf(facts, mixing, 1);
  const ExchangePlan overlapped = OverlappedGossipPlan();
  EXPECT_EQ(plan.launch, overlapped.launch);
  EXPECT_EQ(plan.needed, overlapped.needed);
  EXPECT_EQ(plan.needed_steps_later, 1);
  EXPECT_FALSE(plan.everyone);
  mixing.set_every_steps(4);
  mixing.set_staleness(2);
  plan = ExchangePlanOf(facts, mixing, 0.5);
  EXPECT_EQ(plan.exchange_every, 4);
  EXPECT_EQ(plan.needed_steps_later, 1 + 2 * 4);
  EXPECT_EQ(plan.bytes_factor, 0.5);
  mixing.set_overlap(false);
  plan = ExchangePlanOf(facts, mixing, 1);
  EXPECT_FALSE(plan.overlap);
  EXPECT_EQ(plan.launch, ExchangePlan::Launch::kStepEnd);
  PluginRef all_reduce;
  all_reduce.set_name("allreduce");
  ResolveDefaults(&mixing);
  plan = ExchangePlanOf(*FactsOf(all_reduce), Mixing(), 1);
  EXPECT_TRUE(plan.everyone);
  EXPECT_TRUE(plan.gradients);
  EXPECT_EQ(plan.needed_steps_later, 0);
}

TEST(Predict, CandidatesThatDoNotFitSayWhy) {
  const Candidates candidates = AllCandidates(InputOf(6));
  const auto has = [&](const std::string& line) {
    return std::find(candidates.left_out.begin(), candidates.left_out.end(), line) !=
           candidates.left_out.end();
  };
  const auto legal = [&](const std::string& algorithm, const std::string& topology) {
    return std::any_of(candidates.legal.begin(), candidates.legal.end(), [&](const Candidate& c) {
      return c.algorithm == algorithm && c.topology == topology;
    });
  };
  EXPECT_TRUE(legal("gossip", "ring"));
  EXPECT_TRUE(legal("gossip(ATC)", "ring"));
  EXPECT_TRUE(legal("allreduce", "none"));
  EXPECT_FALSE(legal("gossip", "one_peer_exp"));  // of 6
  EXPECT_FALSE(legal("d2", "one_peer_ring"));
  EXPECT_TRUE(has("algorithm d2 over exponential: it needs weights that are symmetric"));
  EXPECT_TRUE(
      has("algorithm d2 over base_graph, one_peer_ring: it needs weights that are equal in "
          "all rounds"));
  EXPECT_TRUE(
      has("topology hypercube: topology \"hypercube\" needs a power of two workers, not 6; "
          "nearest: 4 or 8"));
}

TEST(Predict, TableAgainstAllReduce) {
  const PredictionInput input = InputOf(8);
  const auto table = PredictAll(input, AllCandidates(input).legal, OptionsFor(8, 1));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->bound_ms, 100);
  EXPECT_NEAR(table->most_speedup, table->all_reduce.mean_ms / 100, 1e-12);
  for (const PredictedRow& row : table->rows) {
    EXPECT_NEAR(row.speedup, table->all_reduce.mean_ms / row.step.mean_ms, 1e-12);
    EXPECT_LE(row.speedup, table->most_speedup * (1 + 1e-9));
    EXPECT_TRUE(row.algorithm != "allreduce" || row.speedup == 1);
  }
  EXPECT_TRUE(std::is_sorted(table->rows.begin(), table->rows.end(),
                             [](const PredictedRow& a, const PredictedRow& b) {
                               return a.step.mean_ms < b.step.mean_ms;
                             }));
}

}  // namespace
}  // namespace starling
