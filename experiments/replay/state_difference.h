// Where the state of two runs differs after the same step, element by element.
#ifndef EXPERIMENTS_REPLAY_STATE_DIFFERENCE_H_
#define EXPERIMENTS_REPLAY_STATE_DIFFERENCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/safetensors.h"
#include "experiments/checkpoint_directory.h"

namespace starling {

struct ElementDifference {
  std::vector<int64_t> index;  // in the tensor's shape
  std::string a, b;            // values and, of numbers, their bits: "0.5 (0x3f000000)"
  double size = 0;             // |a - b|; NaN if either is
};

// What differs in one tensor.
struct TensorDifference {
  int64_t elements = 0;  // that differ in their bits
  ElementDifference first, largest;
};

// Absent: equal to the bit. INVALID_ARGUMENT if type or shape differ.
absl::StatusOr<std::optional<TensorDifference>> Compare(const ShapedBuffer& a,
                                                        const ShapedBuffer& b);

// What differs in the state of all workers.
struct StateDifference {
  int workers = 0, differing_workers = 0;
  int64_t tensors = 0, differing_tensors = 0, differing_elements = 0;
  int largest_worker = 0;
  std::string largest_tensor;
  ElementDifference largest;
};

// Compares two checkpoints after the same step. What only one has counts as a tensor that differs,
// without elements. DATA_LOSS for a damaged file.
absl::StatusOr<StateDifference> CompareStates(const CheckpointDirectory& a,
                                              const CheckpointDirectory& b, int64_t step);

// "[12, 4]".
std::string IndexText(const std::vector<int64_t>& index);

// A tensor of the state as a user knows it: parameters by their own name.
std::string TensorText(const std::string& name);

}  // namespace starling

#endif  // EXPERIMENTS_REPLAY_STATE_DIFFERENCE_H_
