// Starting values of layers: PyTorch's default distributions, drawn from our own streams.
//
//   weight with two or more axes, and the bias beside it: U(-b, b), b = 1 / sqrt(fan_in),
//     fan_in = inputs of one output unit (elements of weight / its first extent);
//   weight with one axis (norms): 1, and the bias beside it: 0.
//
// The first is what PyTorch's kaiming_uniform_(a = sqrt(5)) of linear layers and convolutions
// comes to. A model may start tensors of its choice from other distributions.
#ifndef MODELS_TORCH_STARTING_VALUES_H_
#define MODELS_TORCH_STARTING_VALUES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/layout.h"

namespace starling {

// constant + U(-bound, bound), or constant + N(0, deviation^2); one of bound and deviation is 0.
struct StartingDistribution {
  double constant = 0;
  double bound = 0;
  double deviation = 0;
};

// A model's own choice for a tensor; absent: the default.
using StartingChoice = std::function<std::optional<StartingDistribution>(const TensorInfo& tensor)>;

// Returns the distribution of every tensor: what `choice` (may be empty) says, or else the default
// by its name ("fc1.weight", "fc1.bias"). A tensor without a choice that is neither weight nor
// bias, or a bias without a weight, is INVALID_ARGUMENT.
absl::StatusOr<std::vector<StartingDistribution>> StartingDistributions(
    const Layout& layout, const StartingChoice& choice = nullptr);

// Fills `x` (F32 or F64; zeros in the padding). Every tensor has a stream of its own, derived from
// `stream` and the tensor's place in the order of names, so that values depend on neither the
// order in the arena nor on other tensors' sizes. F32 values are the rounded F64 values.
void DrawStartingValues(const Layout& layout,
                        const std::vector<StartingDistribution>& distributions, uint64_t stream,
                        Buffer x);

}  // namespace starling

#endif  // MODELS_TORCH_STARTING_VALUES_H_
