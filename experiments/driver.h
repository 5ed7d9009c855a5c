// The command line: `starling VERB ...`.
#ifndef EXPERIMENTS_DRIVER_H_
#define EXPERIMENTS_DRIVER_H_

#include <string>
#include <vector>

#include "experiments/prepare.h"

namespace starling {

// Runs the verb that args[0] names and returns the exit code. A binary with a config of its own
// trains it if args begin with a flag or are empty.
int RunDriver(const std::vector<std::string>& args, const BuiltInConfig& built_in, char** argv);

}  // namespace starling

#endif  // EXPERIMENTS_DRIVER_H_
