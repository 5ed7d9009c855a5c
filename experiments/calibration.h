// A whole calibration: the network and the model of a plan, on the plan's backend.
#ifndef EXPERIMENTS_CALIBRATION_H_
#define EXPERIMENTS_CALIBRATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/cluster.pb.h"
#include "experiments/plan.h"

namespace starling {

struct CalibrationParts {
  bool network = true;
  bool model = true;
};

// Collective where a run has several processes; the figures are whole in the lead, whose stderr
// shows progress. `command_line` is for the figures' source.
absl::StatusOr<ClusterSpec> Calibrate(const Plan& plan, CalibrationParts parts, int cores,
                                      const std::vector<std::string>& command_line);

}  // namespace starling

#endif  // EXPERIMENTS_CALIBRATION_H_
