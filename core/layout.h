// The flat layout of a model's parameters: which tensor lies where in the arena, and how the
// arena is cut into buckets.
//
// Tensors stand in the order in which the backward pass completes their gradients, each padded
// with zeros to a multiple of 32 elements. Buckets are consecutive ranges of whole tensors, so
// cutting differently moves no parameter: state in parameter layout means the same for every
// bucket size.
#ifndef CORE_LAYOUT_H_
#define CORE_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace starling {

inline constexpr int64_t kTensorPadding = 32;  // elements

struct Range {
  int64_t offset = 0;
  int64_t count = 0;
};

struct TensorInfo {
  std::string name;            // as in PyTorch: "fc1.weight"
  std::vector<int64_t> shape;  // row-major
  int64_t offset = 0;          // elements from the start of the arena
  int64_t count = 0;           // elements without padding
  bool decay = true;           // false for biases and norms: weight decay spares them
  std::vector<int> unit_axes;  // axes that index output units (masked subnetworks)
};

struct Layout {
  int64_t size = 0;                 // elements, padding included
  std::vector<TensorInfo> tensors;  // in backward order
  std::vector<Range> buckets;       // in backward order; they cover [0, size)

  int64_t parameters() const;  // elements without padding
};

// Returns the layout of `tensors` (name, shape, decay and unit_axes set; in backward order) with
// offsets assigned and buckets closed as soon as they hold `bucket_bytes` of elements of
// `element_bytes` each. 0 < bucket_bytes; one tensor never spans two buckets.
Layout MakeLayout(std::vector<TensorInfo> tensors, int64_t bucket_bytes, int64_t element_bytes);

// Whether the tensors of this shape and name get weight decay: those with two or more axes do,
// biases and norms do not.
bool DecaysByDefault(absl::Span<const int64_t> shape);

}  // namespace starling

#endif  // CORE_LAYOUT_H_
