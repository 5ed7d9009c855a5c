// `starling predict`: step times of algorithms and topologies on a cluster that is only described.
#ifndef EXPERIMENTS_PREDICT_COMMAND_H_
#define EXPERIMENTS_PREDICT_COMMAND_H_

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& PredictVerb();
int PredictCommand(const Arguments& arguments, const BuiltInConfig& built_in);

}  // namespace starling

#endif  // EXPERIMENTS_PREDICT_COMMAND_H_
