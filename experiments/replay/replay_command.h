// `starling replay`: a recorded run again, or two compared step by step.
#ifndef EXPERIMENTS_REPLAY_REPLAY_COMMAND_H_
#define EXPERIMENTS_REPLAY_REPLAY_COMMAND_H_

#include <string>
#include <vector>

#include "experiments/flags.h"

namespace starling {

const Verb& ReplayVerb();

// Needs no more than the run's directory (and its data). Fixes the vector level that the run had;
// where the processor does not offer it, a run is compared within --tolerance. Writes into a
// directory that is removed afterwards, unless --run_dir names one.
//
// Returns the exit code: 0 equal, 1 different, 2 for everything that keeps from knowing.
int ReplayCommand(const Arguments& arguments, const std::vector<std::string>& command_line,
                  char** argv);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_REPLAY_COMMAND_H_
