// `starling export`: the model of a run as one file for PyTorch and others.
#ifndef EXPERIMENTS_EXPORT_COMMAND_H_
#define EXPERIMENTS_EXPORT_COMMAND_H_

#include "experiments/flags.h"

namespace starling {

const Verb& ExportVerb();

// Writes the average model of the run's latest whole checkpoint, or one worker's own, as
// safetensors with PyTorch's names and shapes, statistics of batch norm among them. Returns the
// exit code.
int ExportCommand(const Arguments& arguments);

}  // namespace starling

#endif  // EXPERIMENTS_EXPORT_COMMAND_H_
