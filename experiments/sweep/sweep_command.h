// `starling sweep`.
#ifndef EXPERIMENTS_SWEEP_SWEEP_COMMAND_H_
#define EXPERIMENTS_SWEEP_SWEEP_COMMAND_H_

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& SweepVerb();

// Returns the exit code: 0 only if every run has a result.
int SweepCommand(const Arguments& arguments, const BuiltInConfig& built_in);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_SWEEP_COMMAND_H_
