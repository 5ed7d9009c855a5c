#include "cluster/recursion.h"

#include <vector>

#include "cluster/closed_forms.h"
#include "cluster/exchange_plan.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// Forward 30, backward 3 x 20, update 10 in all.
StepWork Work(double mb) { return {30, {20, 20, 20}, {4, 3, 3}, {mb, mb, 2 * mb}}; }

Passes Alike(int workers) {
  Passes passes;
  passes.persistent.assign(workers, 1.0);
  return passes;
}

RoundCosts OneGroup(int workers, double ms_per_mb) {
  RoundCosts round;
  round.groups = true;
  round.begin = {0, workers};
  for (int i = 0; i < workers; ++i) round.members.push_back(i);
  round.cost = {{0.5, ms_per_mb}};
  return round;
}

// Pairs (i, i xor distance).
RoundCosts Pairs(int workers, int distance, double ms_per_mb) {
  RoundCosts round;
  round.groups = true;
  round.begin = {0};
  for (int i = 0; i < workers; ++i) {
    if ((i ^ distance) < i) continue;
    round.members.push_back(i);
    round.members.push_back(i ^ distance);
    round.begin.push_back(static_cast<int>(round.members.size()));
    round.cost.push_back({0, ms_per_mb});
  }
  return round;
}

TEST(Recursion, AgreesWithTheFormulas) {
  for (const double mb : {0.0, 1.0, 5.0, 10.0, 40.0}) {
    const std::vector<RoundCosts> rounds = {OneGroup(4, 2.0)};
    const StepWork work = Work(mb);
    EXPECT_NEAR(RunRecursion(work, AllReducePlan(), rounds, Alike(4), 10, 100).mean_ms,
                AllReduceStepMs(work, rounds[0].cost[0]), 1e-9);
    EXPECT_NEAR(RunRecursion(work, OverlappedGossipPlan(), rounds, Alike(4), 10, 100).mean_ms,
                OverlappedStepMs(work, rounds[0].cost[0]), 1e-9);
  }
}

TEST(Recursion, FormulasByHand) {
  const ExchangeCost cost{0.5, 2};
  // 10.5 + 10.5 + 20.5 of sums fit behind the pass up to the last, which is exposed.
  EXPECT_DOUBLE_EQ(AllReduceStepMs(Work(5), cost), 90 + 20.5 + 10);
  // Communication-bound: forward, first bucket, everything.
  EXPECT_DOUBLE_EQ(AllReduceStepMs(Work(40), cost), 50 + 80.5 + 80.5 + 160.5 + 10);
  EXPECT_DOUBLE_EQ(OverlappedStepMs(Work(5), cost), 100);
  EXPECT_DOUBLE_EQ(OverlappedStepMs(Work(40), cost), 321.5);
}

// Rounds of unequal cost: between the mean and what each would cost alone.
TEST(Recursion, RoundsInTurn) {
  const StepWork work = Work(10);  // 40 MB
  const std::vector<RoundCosts> rounds = {Pairs(4, 1, 0.5), Pairs(4, 2, 5)};
  EXPECT_FALSE(ClosedFormMs(work, OverlappedGossipPlan(), rounds));
  const double ms = RunRecursion(work, OverlappedGossipPlan(), rounds, Alike(4), 20, 200).mean_ms;
  EXPECT_GE(ms, (20 + 200) / 2.0 - 1e-9);
  EXPECT_LE(ms, (100 + 200) / 2.0 + 1e-9);
}

// n = 8, computing 100, exchanges 63 in all: one delay of up to 36 leaves the others on schedule
// (slack 37), one of 100 does not.
TEST(Recursion, TransientDelaysAreAbsorbed) {
  const StepWork work = Work(15.75);
  const std::vector<RoundCosts> pairs = {Pairs(8, 1, 1), Pairs(8, 2, 1), Pairs(8, 4, 1)};
  constexpr int kSteps = 20;
  const auto with = [&](double delay) {  // of worker 0 in step 10
    Passes passes = Alike(8);
    passes.steps = kSteps;
    passes.factor.assign(kSteps * 8, 1.0);
    passes.stall_ms.assign(kSteps * 8, 0.0);
    passes.stall_ms[10 * 8 + 0] = delay;
    return RunRecursion(work, OverlappedGossipPlan(), pairs, passes, 0, kSteps);
  };
  // The delayed worker keeps its lag, so the latest start grows by the delay once.
  for (const double delay : {20.0, 36.0, 100.0}) {
    EXPECT_NEAR(with(delay).mean_ms * kSteps, 100 * kSteps + delay, 1e-6);
  }
  // Of 8 x 20 steps, those that last longer than 100 ms: with 36 only the delayed one, with 100
  // some of others too.
  EXPECT_DOUBLE_EQ(with(36).p99_ms, 100);
  EXPECT_GT(with(100).p99_ms, 100);
}

// Delays spread over the workers: All-Reduce adds them up, the schema does not.
TEST(Recursion, DelaysOfDifferentWorkersDoNotAdd) {
  const StepWork work = Work(2.5);
  const std::vector<RoundCosts> pairs = {Pairs(8, 1, 1), Pairs(8, 2, 1), Pairs(8, 4, 1)};
  Passes passes = Alike(8);
  passes.steps = 80;
  passes.factor.assign(80 * 8, 1.0);
  passes.stall_ms.assign(80 * 8, 0.0);
  for (int t = 0; t < 80; ++t) passes.stall_ms[t * 8 + t % 8] = 30;
  const double all_reduce =
      RunRecursion(work, AllReducePlan(), {OneGroup(8, 0)}, passes, 0, 80).mean_ms;
  const double gossip = RunRecursion(work, OverlappedGossipPlan(), pairs, passes, 0, 80).mean_ms;
  EXPECT_NEAR(all_reduce, 130.5, 1e-9);
  EXPECT_LT(gossip, 100 + 30 / 8.0 + 1);
}

TEST(Recursion, EdgesWaitForThoseTheyReceiveFrom) {
  // A directed ring of three; worker 0 computes for 200.
  RoundCosts ring;
  ring.begin = {0, 2, 4, 6};
  ring.members = {0, 2, 0, 1, 1, 2};
  ring.cost.assign(3, {0, 1});
  Passes passes = Alike(3);
  passes.persistent[0] = 2;
  ExchangePlan plan = GossipAfterUpdatePlan();
  const StepTimes times = RunRecursion(Work(1), plan, {ring}, passes, 20, 100);
  EXPECT_NEAR(times.mean_ms, 190 + 2, 1e-9);  // and its last bucket's transfer
  EXPECT_NEAR(times.compute_ms, (190 + 100 + 100) / 3.0, 1e-9);
}

}  // namespace
}  // namespace starling
