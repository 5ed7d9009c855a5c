// Finds operators of a script module that draw from LibTorch's own random numbers.
#ifndef MODELS_TORCHSCRIPT_RANDOM_OPERATORS_H_
#define MODELS_TORCHSCRIPT_RANDOM_OPERATORS_H_

#include "absl/status/status.h"
#include "torch/csrc/jit/api/module.h"

namespace starling {

// OK if nothing that `forward` of `script` may call is random in training; otherwise
// INVALID_ARGUMENT names the first operator that is and what would be right. A dropout whose
// probability is the constant 0, or whose `training` is the constant False, is not random.
absl::Status RefuseRandomOperators(const torch::jit::Module& script);

}  // namespace starling

#endif  // MODELS_TORCHSCRIPT_RANDOM_OPERATORS_H_
