#include "cluster/exchange_plan.h"

namespace starling {

ExchangePlan AllReducePlan() {
  ExchangePlan plan;
  plan.launch = ExchangePlan::Launch::kBucketReady;
  plan.needed = ExchangePlan::Needed::kStepEnd;
  plan.everyone = true;
  plan.gradients = true;
  return plan;
}

ExchangePlan OverlappedGossipPlan() {
  ExchangePlan plan;
  plan.launch = ExchangePlan::Launch::kBucketReady;
  plan.needed = ExchangePlan::Needed::kBucketReady;
  plan.needed_steps_later = 1;
  return plan;
}

ExchangePlan GossipAfterUpdatePlan() {
  ExchangePlan plan;
  plan.launch = ExchangePlan::Launch::kBucketReady;
  plan.needed = ExchangePlan::Needed::kStepEnd;
  return plan;
}

}  // namespace starling
