// When an algorithm exchanges what: all that predictions need to know of it.
#ifndef CLUSTER_EXCHANGE_PLAN_H_
#define CLUSTER_EXCHANGE_PLAN_H_

#include <cstdint>

namespace starling {

// When a bucket is exchanged, and what: AlgorithmFacts in this folder's terms.
struct ExchangePlan {
  enum class Launch {
    kNever,
    kStepBegin,
    kBucketReady,  // as soon as the backward pass has completed the bucket
    kStepEnd       // nothing is hidden behind the pass it belongs to
  };
  enum class Needed { kNever, kBucketReady, kStepEnd };

  Launch launch = Launch::kNever;
  Needed needed = Needed::kNever;  // at which point of a step the result is waited for
  int needed_steps_later = 0;      // ... of the same step, or so many steps later
  int64_t exchange_every = 1;      // steps: only the last of each so many exchanges

  bool overlap = true;  // false: an exchange is waited for right where it is launched

  // The sum over all workers, without a topology. Of gradients it comes before the update;
  // otherwise a bucket's update comes before its exchange.
  bool everyone = false;
  bool gradients = false;

  bool groups_as_edges = false;  // members of a group send to each other in place of a group's sum
  double bytes_factor = 1;       // bytes exchanged over those of the model profile's buckets
};

// Common plans, as published: bucketed data-parallel training, the overlapped schema (AWC), local
// update then gossip (ATC).
ExchangePlan AllReducePlan();
ExchangePlan OverlappedGossipPlan();
ExchangePlan GossipAfterUpdatePlan();

}  // namespace starling

#endif  // CLUSTER_EXCHANGE_PLAN_H_
