#include "core/layout.h"

#include <utility>

namespace starling {

int64_t Layout::parameters() const {
  int64_t total = 0;
  for (const TensorInfo& tensor : tensors) total += tensor.count;
  return total;
}

Layout MakeLayout(std::vector<TensorInfo> tensors, int64_t bucket_bytes, int64_t element_bytes) {
  Layout layout;
  int64_t bucket_start = 0;
  for (TensorInfo& tensor : tensors) {
    tensor.count = 1;
    for (int64_t extent : tensor.shape) tensor.count *= extent;
    tensor.offset = layout.size;
    layout.size += (tensor.count + kTensorPadding - 1) / kTensorPadding * kTensorPadding;
    if ((layout.size - bucket_start) * element_bytes >= bucket_bytes) {
      layout.buckets.push_back({bucket_start, layout.size - bucket_start});
      bucket_start = layout.size;
    }
  }
  if (bucket_start < layout.size) {
    layout.buckets.push_back({bucket_start, layout.size - bucket_start});
  }
  layout.tensors = std::move(tensors);
  return layout;
}

bool DecaysByDefault(absl::Span<const int64_t> shape) { return shape.size() >= 2; }

}  // namespace starling
