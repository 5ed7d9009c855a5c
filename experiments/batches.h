// The part of a plan that says what a batch is: so many examples, or so many tokens.
#ifndef EXPERIMENTS_BATCHES_H_
#define EXPERIMENTS_BATCHES_H_

#include <vector>

#include "absl/status/status.h"
#include "core/config/problem.h"
#include "experiments/experiment.pb.h"
#include "experiments/plan.h"

namespace starling {

// Adds what is wrong with the batches of a resolved config, whatever the data are.
void CheckBatches(const Experiment& config, std::vector<Problem>* problems);

// Fills in the batches of `plan`, which has its config, data set and assignment, and the steps of
// an epoch. INVALID_ARGUMENT if the data do not fill them.
absl::Status PlanBatches(const TextLocations& locations, Plan* plan);

}  // namespace starling

#endif  // EXPERIMENTS_BATCHES_H_
