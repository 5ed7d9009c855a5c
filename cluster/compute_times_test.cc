#include "cluster/compute_times.h"

#include <cmath>

#include "gtest/gtest.h"

namespace starling {
namespace {

ClusterSpec WithJitter(Jitter::Distribution distribution, double relative) {
  ClusterSpec cluster;
  cluster.mutable_jitter()->set_distribution(distribution);
  cluster.mutable_jitter()->set_relative(relative);
  return cluster;
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments MomentsOf(const ClusterSpec& cluster) {
  constexpr int kWorkers = 100, kSteps = 1000;
  const ComputeTimes times(cluster, kWorkers, /*seed=*/1);
  double sum = 0, squares = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    for (int step = 0; step < kSteps; ++step) {
      const double factor = times.At(worker, step).factor;
      sum += factor;
      squares += factor * factor;
    }
  }
  const double mean = sum / (kWorkers * kSteps);
  return {mean, std::sqrt(squares / (kWorkers * kSteps) - mean * mean)};
}

// The deviation of a mean of 100,000 is 0.003 of one.
TEST(ComputeTimes, DistributionsHaveMeanOneAndTheirDeviation) {
  for (const auto distribution : {Jitter::NORMAL, Jitter::LOGNORMAL, Jitter::GAMMA}) {
    const Moments moments = MomentsOf(WithJitter(distribution, 0.2));
    EXPECT_NEAR(moments.mean, 1, 0.003) << Jitter::Distribution_Name(distribution);
    EXPECT_NEAR(moments.deviation, 0.2, 0.004) << Jitter::Distribution_Name(distribution);
  }
  ClusterSpec cluster = WithJitter(Jitter::EMPIRICAL, 0);
  for (const double sample : {2.0, 6.0}) cluster.mutable_jitter()->add_sample(sample);
  const Moments moments = MomentsOf(cluster);
  EXPECT_NEAR(moments.mean, 1, 0.008);
  EXPECT_NEAR(moments.deviation, 0.5, 0.004);
}

TEST(ComputeTimes, DependOnSeedWorkerAndStepOnly) {
  const ClusterSpec cluster = WithJitter(Jitter::NORMAL, 0.1);
  const ComputeTimes a(cluster, 8, 1), larger(cluster, 64, 1), other(cluster, 8, 2);
  EXPECT_TRUE(a.random());
  EXPECT_EQ(a.At(3, 5).factor, larger.At(3, 5).factor);
  EXPECT_NE(a.At(3, 5).factor, a.At(3, 6).factor);
  EXPECT_NE(a.At(3, 5).factor, a.At(4, 5).factor);
  EXPECT_NE(a.At(3, 5).factor, other.At(3, 5).factor);
}

TEST(ComputeTimes, SlowWorkersAndStalls) {
  ClusterSpec cluster;
  SlowWorker* slow = cluster.add_slow_worker();
  slow->set_worker(2);
  slow->set_factor(1.5);
  EXPECT_FALSE(ComputeTimes(cluster, 4, 1).random());
  EXPECT_EQ(ComputeTimes(cluster, 4, 1).At(2, 0).factor, 1.5);
  EXPECT_EQ(ComputeTimes(cluster, 2, 1).At(1, 0).factor, 1);  // worker 2 is not there
  cluster.mutable_stalls()->set_probability(0.25);
  cluster.mutable_stalls()->set_ms(40);
  const ComputeTimes times(cluster, 4, 1);
  EXPECT_TRUE(times.random());
  double stalled = 0;
  for (int step = 0; step < 10000; ++step) stalled += times.At(0, step).stall_ms / 40;
  EXPECT_NEAR(stalled / 10000, 0.25, 0.015);
}

}  // namespace
}  // namespace starling
