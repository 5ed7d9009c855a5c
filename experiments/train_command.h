// `starling train`: one experiment, or its arms one after the other.
#ifndef EXPERIMENTS_TRAIN_COMMAND_H_
#define EXPERIMENTS_TRAIN_COMMAND_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "experiments/experiment.pb.h"
#include "experiments/flags.h"
#include "experiments/monitor.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& TrainVerb();

// Returns the exit code: 0 all arms done, 1 failed or diverged, 2 wrong usage, 75 stopped by
// SIGTERM or SIGUSR1 (`--resume` goes on), 130 stopped by Ctrl-C.
int TrainCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                 const std::vector<std::string>& command_line);

}  // namespace starling

#endif  // EXPERIMENTS_TRAIN_COMMAND_H_
