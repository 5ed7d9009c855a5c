// `starling fit`: from measured step times to the figures of a cluster, and on to worlds that
// nobody measured.
#ifndef EXPERIMENTS_FIT_COMMAND_H_
#define EXPERIMENTS_FIT_COMMAND_H_

#include "experiments/flags.h"

namespace starling {

const Verb& FitVerb();

// Fits each cluster of --measurements to its own rows, save those that --holdout describes, and
// predicts these. Returns the exit code.
int FitCommand(const Arguments& arguments);

}  // namespace starling

#endif  // EXPERIMENTS_FIT_COMMAND_H_
