#include "cluster/closed_forms.h"

#include <algorithm>

namespace starling {
namespace {

using Launch = ExchangePlan::Launch;
using Needed = ExchangePlan::Needed;

// The cost of all exchanges, if they have the same.
std::optional<ExchangeCost> OneCost(const std::vector<RoundCosts>& rounds) {
  const ExchangeCost first = rounds[0].cost[0];
  for (const RoundCosts& round : rounds) {
    for (const ExchangeCost& cost : round.cost) {
      if (cost.latency_ms != first.latency_ms || cost.ms_per_mb != first.ms_per_mb) {
        return std::nullopt;
      }
    }
  }
  return first;
}

}  // namespace

double AllReduceStepMs(const StepWork& work, const ExchangeCost& cost) {
  double ready = work.forward_ms, end = 0;
  for (size_t b = 0; b < work.mb.size(); ++b) {
    ready += work.backward_ms[b];
    end = std::max(end, ready) + cost.Ms(work.mb[b]);
  }
  return end + work.total_update_ms();
}

double OverlappedStepMs(const StepWork& work, const ExchangeCost& cost) {
  double communication = 0;
  for (const double mb : work.mb) communication += cost.Ms(mb);
  return std::max(work.compute_ms() + work.total_update_ms(), communication);
}

std::optional<double> ClosedFormMs(const StepWork& work, const ExchangePlan& plan,
                                   const std::vector<RoundCosts>& rounds) {
  if (plan.launch == Launch::kNever) return work.compute_ms() + work.total_update_ms();
  const std::optional<ExchangeCost> cost = OneCost(rounds);
  if (!cost || plan.launch != Launch::kBucketReady || plan.exchange_every != 1 || !plan.overlap) {
    return std::nullopt;
  }
  if (plan.gradients && plan.needed == Needed::kStepEnd && plan.needed_steps_later == 0) {
    return AllReduceStepMs(work, *cost);
  }
  if (!plan.gradients && plan.needed == Needed::kBucketReady && plan.needed_steps_later == 1) {
    return OverlappedStepMs(work, *cost);
  }
  return std::nullopt;
}

}  // namespace starling
