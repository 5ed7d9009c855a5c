#include "experiments/time_ledger.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// outside, data, forward, backward, update, wait
PhaseSeconds Phases(double forward, double wait) { return {100, 0, forward, 0, 0, wait}; }

TEST(TimeLedger, SplitsStepsByPhaseAndWorker) {
  TimeLedger ledger(3);
  for (int step = 1; step <= 100; ++step) {
    ledger.AddStep(0, Phases(0.010, 0.030));
    ledger.AddStep(1, Phases(0.040, 0.000));
    ledger.AddStep(2, Phases(0.020, 0.020));
    ledger.EndStep(step * 1e-3);
  }
  const TimeSplit split = ledger.Split();
  EXPECT_NEAR(split.step_ms_mean, 50.5, 1e-4);
  EXPECT_NEAR(split.step_ms_p50, 50, 1e-4);
  EXPECT_NEAR(split.step_ms_p99, 99, 1e-4);
  EXPECT_NEAR(split.phase_ms[static_cast<int>(Phase::kForward)], 70.0 / 3, 1e-9);
  EXPECT_NEAR(split.exposed_comm_ms, 50.0 / 3, 1e-9);
  EXPECT_EQ(split.worker_phase_ms.size(), 3u);
  EXPECT_EQ(split.slowest.worker, 1);
  EXPECT_NEAR(split.slowest.compute_ms, 40, 1e-4);
  EXPECT_NEAR(split.slowest.median_compute_ms, 20, 1e-4);
  EXPECT_NEAR(split.slowest.others_wait_ms, 25, 1e-9);
}

TEST(TimeLedger, KnowsWhatWasHiddenAndWhatWentWhere) {
  TimeLedger ledger(2);
  ledger.AddStep(0, Phases(1, 0.5));
  ledger.AddStep(1, Phases(1, 0.5));
  ledger.EndStep(1.5);
  EXPECT_TRUE(std::isnan(ledger.Split().overlap_fraction));
  ledger.SetTotals(0, {{0, 7}, 2.0});
  ledger.SetTotals(1, {{9, 0}, 2.0});
  const TimeSplit split = ledger.Split();
  EXPECT_DOUBLE_EQ(split.overlap_fraction, 0.75);
  ASSERT_EQ(split.links.size(), 2u);
  EXPECT_EQ(split.links[0].to, 1);
  EXPECT_EQ(split.links[0].bytes, 7);
  EXPECT_EQ(split.links[1].from, 1);
  EXPECT_EQ(split.links[1].bytes, 9);
}

TEST(TimeLedger, ARunWithoutStepsHasNoTimes) {
  const TimeSplit split = TimeLedger(1).Split();
  EXPECT_EQ(split.step_ms_mean, 0);
  EXPECT_EQ(split.step_ms_p99, 0);
  EXPECT_EQ(split.slowest.others_wait_ms, 0);
}

}  // namespace
}  // namespace starling
