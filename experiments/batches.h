// The part of a plan that says what a batch is: so many examples, or so many tokens.
#ifndef EXPERIMENTS_BATCHES_H_
#define EXPERIMENTS_BATCHES_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/config/problem.h"
#include "data/dataset.h"
#include "experiments/experiment.pb.h"
#include "experiments/plan.h"

namespace starling {

// The data set of a resolved config. Plans of this process that ask for the same data while one of
// them lives share it.
absl::StatusOr<std::shared_ptr<const Dataset>> SharedDataset(const Experiment& config);

// Adds what is wrong with the batches of a resolved config, whatever the data are.
void CheckBatches(const Experiment& config, std::vector<Problem>* problems);

// Fills in the batches of `plan`, which has its config, data set and assignment, and the steps of
// an epoch. INVALID_ARGUMENT if the data do not fill them.
absl::Status PlanBatches(const TextLocations& locations, Plan* plan);

}  // namespace starling

#endif  // EXPERIMENTS_BATCHES_H_
