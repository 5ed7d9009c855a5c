// `starling calibrate`: measures a ClusterSpec on the machine at hand, or takes it from files that
// nccl-tests has written.
#ifndef EXPERIMENTS_CALIBRATE_COMMAND_H_
#define EXPERIMENTS_CALIBRATE_COMMAND_H_

#include <string>
#include <vector>

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& CalibrateVerb();

// Returns the exit code: 0, 2 for wrong usage, 1 for a machine that refuses. `command_line` is
// that of this process.
int CalibrateCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                     const std::vector<std::string>& command_line);

}  // namespace starling

#endif  // EXPERIMENTS_CALIBRATE_COMMAND_H_
