// Dropout whose mask comes from our own streams: the same on every backend, thread and machine.
#ifndef MODELS_TORCH_DROPOUT_H_
#define MODELS_TORCH_DROPOUT_H_

#include <cstdint>

#include "torch/types.h"

namespace starling {

// Returns x * mask / (1 - p), where each element of the mask is 0 with probability p and else 1;
// x itself in evaluation (not `training`) and for p = 0. Differentiable: the gradient of x is
// masked alike.
//
// `x`: floating-point, any shape, on the host or the device; 0 <= p < 1. `stream` is the pass's
// (TorchNet::forward); `place` numbers the calls of one pass, so that each has a mask of its own.
// Element i of x in row-major order takes word i of the stream that both name, whatever the type
// and strides of x.
torch::Tensor Dropout(const torch::Tensor& x, double p, uint64_t stream, int place, bool training);

}  // namespace starling

#endif  // MODELS_TORCH_DROPOUT_H_
