#include "models/torch/dropout.h"

#include <algorithm>
#include <cmath>

#include "core/ops/random_mask.h"
#include "core/random/random.h"
#include "glog/logging.h"
#include "models/torch/tensors.h"

namespace starling {

torch::Tensor Dropout(const torch::Tensor& x, double p, uint64_t stream, int place, bool training) {
  CHECK(p >= 0 && p < 1) << p;
  if (!training || p == 0) return x;
  const bool is_double = x.scalar_type() == torch::kFloat64;
  const torch::Tensor mask = torch::empty(
      x.sizes(),
      torch::TensorOptions(is_double ? torch::kFloat64 : torch::kFloat32).device(x.device()));
  const uint64_t words = StreamKey(stream, Purpose::kDropout, /*worker=*/0, /*step=*/place);
  const uint32_t limit = static_cast<uint32_t>(std::min(std::round(p * 0x1p32), 0x1p32 - 1));
  ops::RandomMask(words, limit, 1 / (1 - p), BufferOf(mask));
  // Multiplied in the mask's type: 8 bits have no place for 1 / (1 - p).
  return (x * mask).to(x.scalar_type());
}

}  // namespace starling
