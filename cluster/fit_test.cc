#include "cluster/fit.h"

#include <cmath>

#include "cluster/cluster.h"
#include "cluster/fit_testing.h"
#include "cluster/runtime_model.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

// Step times, as the runtime model has them, of a cluster that differs in everything from what the
// fit takes as usual: four GPUs per machine behind a slow card.
std::vector<StepMeasurement> SlowNetwork(double nic_gbps) {
  ClusterSpec cluster;
  cluster.set_workers_per_node(4);
  cluster.set_node_gbps(90);
  cluster.set_communicator_gbps(0.75 * nic_gbps);
  cluster.set_nic_gbps(nic_gbps);
  cluster.set_collective_latency_us(150);
  cluster.set_collective(ClusterSpec::RING);
  cluster.mutable_jitter()->set_distribution(Jitter::GAMMA);
  cluster.mutable_jitter()->set_relative(0.05);
  CHECK_OK(CompleteCluster(&cluster));
  ModelProfile model = TransformerBase();
  model.set_fixed_ms(35);
  model.set_scaled_ms(900);
  model.set_overlap_exponent(1.6);
  model.set_update_ms(2);
  std::vector<StepMeasurement> rows;
  for (const int gpus : {8, 16, 32}) {
    const auto runtime = RuntimeModel::Create(cluster, model, gpus, {});
    CHECK_OK(runtime.status());
    for (const char* name : {"allreduce", "sgp", "exp", "aer"}) {
      const auto method = MakeMethod(name, gpus, 4);
      CHECK_OK(method.status());
      rows.push_back(
          {"slow", gpus, 4, name, runtime->Predict(method->plan, method->topology.get()).mean_ms});
    }
  }
  return rows;
}

TEST(FitTest, PredictsASizeThatItDidNotSeeOnASlowNetwork) {
  const std::vector<StepMeasurement> rows = SlowNetwork(25);
  for (const int gpus : {8, 32}) {
    const auto steps = PredictHeldOut(rows, "slow", gpus);
    ASSERT_EQ(steps.size(), 4);
    ExpectSameOrder(steps);
    for (const HeldOutStep& held : steps) {
      EXPECT_LT(std::abs(held.error()), 0.12) << held.row.method << " on " << gpus;
      EXPECT_LT(held.step.low_ms, held.step.ms);
      EXPECT_GT(held.step.high_ms, held.step.ms);
    }
  }
}

TEST(FitTest, FewRowsAreEnoughAndTheSameRowsFitTheSame) {
  const std::vector<StepMeasurement> rows = {{"few", 4, 2, "allreduce", 120},
                                             {"few", 4, 2, "aer", 100}};
  const auto fit = ClusterFit::Create(rows, TransformerBase());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_LT(fit->rms(), 0.02);
  EXPECT_EQ(fit->sgp_ms(), 0);
  // What two rows do not say stays unsure, and a complete spec comes out all the same.
  ClusterSpec cluster = fit->cluster();
  EXPECT_EQ(CompleteCluster(&cluster), absl::OkStatus());
  EXPECT_EQ(cluster.workers_per_node(), 2);
  EXPECT_GT(cluster.spread(0).relative(), 0.3);
  const FittedStep far = fit->Predict({"few", 16, 2, "aer", 0});
  EXPECT_GT(far.high_ms / far.low_ms, 1.5);
  const auto again = ClusterFit::Create(rows, TransformerBase());
  EXPECT_EQ(again->cluster().SerializeAsString(), fit->cluster().SerializeAsString());
}

TEST(FitTest, NeedsARow) {
  EXPECT_EQ(ClusterFit::Create({}, TransformerBase()).status().message(),
            "no row is left to fit to");
}

}  // namespace
}  // namespace starling::testing
