// `starling verify`: checks an experiment without training it.
#ifndef EXPERIMENTS_VERIFY_COMMAND_H_
#define EXPERIMENTS_VERIFY_COMMAND_H_

#include "experiments/flags.h"
#include "experiments/prepare.h"

namespace starling {

const Verb& VerifyVerb();

// Prints what was checked of every arm (verify.h), or the first thing that is wrong. Returns the
// exit code: 0 all is well, 2 it is not, 1 a file cannot be read.
int VerifyCommand(const Arguments& arguments, const BuiltInConfig& built_in);

}  // namespace starling

#endif  // EXPERIMENTS_VERIFY_COMMAND_H_
