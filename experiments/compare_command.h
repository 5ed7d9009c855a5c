// `starling compare`: trains some steps of an experiment, each arm of it, and prints what the
// runtime model predicts beside what they took.
#ifndef EXPERIMENTS_COMPARE_COMMAND_H_
#define EXPERIMENTS_COMPARE_COMMAND_H_

#include <string>
#include <vector>

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& CompareVerb();

// Returns the exit code, as CalibrateCommand.
int CompareCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                   const std::vector<std::string>& command_line);

}  // namespace starling

#endif  // EXPERIMENTS_COMPARE_COMMAND_H_
