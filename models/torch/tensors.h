// Tensors of LibTorch and Buffers of ours, of the same memory.
#ifndef MODELS_TORCH_TENSORS_H_
#define MODELS_TORCH_TENSORS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "core/buffer.h"
#include "torch/types.h"

namespace starling {

torch::ScalarType ScalarTypeOf(DType type);

// Of elements as they are kept: a bool is a byte. Nothing for types that we have not.
std::optional<DType> DTypeFor(torch::ScalarType type);

// A tensor of `values`, where they are; what is on a device must be of the calling thread's card.
torch::Tensor View(Buffer values, const std::vector<int64_t>& shape);

// The elements of `tensor`, which is contiguous and of a type that we have.
Buffer BufferOf(const torch::Tensor& tensor);

}  // namespace starling

#endif  // MODELS_TORCH_TENSORS_H_
