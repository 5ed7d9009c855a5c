// What one training step of one worker computes, measured without any exchange: the passes of all
// workers at the same time, as in training, on the batches that training reads.
#ifndef EXPERIMENTS_MODEL_MEASUREMENT_H_
#define EXPERIMENTS_MODEL_MEASUREMENT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "cluster/cluster.pb.h"
#include "comm/communicator.h"
#include "experiments/network_measurement.h"
#include "experiments/plan.h"

namespace starling {

// Adds the plan's model to `cluster` (reading data counts as forward pass), the jitter of its
// passes (the factors seen, at most 64 evenly spaced quantiles) and the workers whose passes take
// longer or less long than the median worker's by more than 5 %. About ten seconds, at least 10
// steps and at most 100. Called by all workers; all get the same. `number` as in MeasureNetwork.
absl::Status MeasureModel(const Plan& plan, Communicator* comm, int64_t* number, const Say& say,
                          ClusterSpec* cluster);

}  // namespace starling

#endif  // EXPERIMENTS_MODEL_MEASUREMENT_H_
