// Step times as formulas, where nothing is random and all workers are alike.
#ifndef CLUSTER_CLOSED_FORMS_H_
#define CLUSTER_CLOSED_FORMS_H_

#include <optional>
#include <vector>

#include "cluster/exchange_costs.h"
#include "cluster/exchange_plan.h"
#include "cluster/recursion.h"

namespace starling {

// All-Reduce of buckets as the backward pass completes them, in order, then the update. T_b is the
// cost of bucket b's sum, F the forward pass, U_b the backward pass of bucket b, O the update:
//
//   O + max over b of (F + U_1 + ... + U_b + T_b + ... + T_B)
double AllReduceStepMs(const StepWork& work, const ExchangeCost& cost);

// The overlapped schema with rounds of one cost: max(F + U + O, T_1 + ... + T_B).
double OverlappedStepMs(const StepWork& work, const ExchangeCost& cost);

// The formula for `plan`; nullopt if there is none: the recursion is for everything.
std::optional<double> ClosedFormMs(const StepWork& work, const ExchangePlan& plan,
                                   const std::vector<RoundCosts>& rounds);

}  // namespace starling

#endif  // CLUSTER_CLOSED_FORMS_H_
