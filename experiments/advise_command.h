// `starling advise`: which topology to take on a cluster, and why.
#ifndef EXPERIMENTS_ADVISE_COMMAND_H_
#define EXPERIMENTS_ADVISE_COMMAND_H_

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& AdviseVerb();

// Ranks All-Reduce and gossip over every topology by the predicted time to a target. Returns the
// exit code.
int AdviseCommand(const Arguments& arguments, const BuiltInConfig& built_in);

}  // namespace starling

#endif  // EXPERIMENTS_ADVISE_COMMAND_H_
