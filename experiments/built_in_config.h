// The config that starling_experiment compiled into this binary.
#ifndef EXPERIMENTS_BUILT_IN_CONFIG_H_
#define EXPERIMENTS_BUILT_IN_CONFIG_H_

#include "experiments/prepare.h"

namespace starling {

// Defined in a file that starling_experiment generates.
BuiltInConfig GetBuiltInConfig();

}  // namespace starling

#endif  // EXPERIMENTS_BUILT_IN_CONFIG_H_
