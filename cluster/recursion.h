// The recursion in max and + that step times obey, run step by step for all workers at once.
//
// With S_i the start of worker i's step, f_i its factor, c_i the time from which its transfers may
// go on (one after the other, buckets in order), and E_ib the end of the exchange of bucket b that
// the plan waits for:
//
//   p_i0 = S_i + stall_i + f_i F                                   forward pass
//   p_ib = max(p_i,b-1 + f_i U_b, E_ib if needed at kBucketReady) + o_b if the update comes first
//   an exchange of bucket b that starts at time r_i (p_ib; S_i; the step's end) on worker i ends at
//   E_jb = max over the group's members i of max(r_i, c_i), + cost(group, s_b); then c_j = E_jb
//   next S_i = p_iB, or max(p_iB, E_iB) if needed at kStepEnd, + sum of o_b if the update comes
//   last
//
// Edges in place of groups: the maximum is over those that j receives from, and itself.
#ifndef CLUSTER_RECURSION_H_
#define CLUSTER_RECURSION_H_

#include <cstdint>
#include <vector>

#include "cluster/compute_times.h"
#include "cluster/exchange_costs.h"
#include "cluster/exchange_plan.h"

namespace starling {

// The passes of all workers in all steps.
struct Passes {
  std::vector<double> persistent;  // factor without jitter, by worker
  int64_t steps = 0;               // drawn; 0: all are alike
  std::vector<double> factor;      // of step t, worker i: [t * workers + i]
  std::vector<double> stall_ms;    // likewise
};

Passes DrawPasses(const ComputeTimes& times, int workers, int64_t steps);

// One step's work without noise, by bucket in the order of the backward pass.
struct StepWork {
  double forward_ms = 0;
  std::vector<double> backward_ms;
  std::vector<double> update_ms;
  std::vector<double> mb;  // exchanged

  double compute_ms() const;  // forward and backward
  double total_update_ms() const;
};

struct StepTimes {
  double mean_ms = 0;  // growth of the latest worker's start, per step
  double p50_ms = 0;   // of single steps of single workers, 64 evenly spaced ones at most
  double p99_ms = 0;
  double compute_ms = 0;  // own passes and updates, mean over workers and steps
};

// Runs `warmup` steps and then `steps` that count. `rounds` are used in turn, one per exchanging
// step. passes.steps is 0 or at least warmup + steps.
StepTimes RunRecursion(const StepWork& work, const ExchangePlan& plan,
                       const std::vector<RoundCosts>& rounds, const Passes& passes, int64_t warmup,
                       int64_t steps);

}  // namespace starling

#endif  // CLUSTER_RECURSION_H_
