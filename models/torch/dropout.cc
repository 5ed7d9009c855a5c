#include "models/torch/dropout.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/types/span.h"
#include "core/random/random.h"
#include "core/random/random_words.h"
#include "glog/logging.h"

namespace starling {
namespace {

// Fills mask[i] with 0 where word i of the stream is below `limit`, else with `kept`.
template <typename T>
void FillMask(uint64_t stream, uint32_t limit, T kept, absl::Span<T> mask) {
  constexpr size_t kChunk = 1024;  // words that stay in the first cache
  std::array<uint32_t, kChunk> words;
  for (size_t begin = 0; begin < mask.size(); begin += kChunk) {
    const size_t count = std::min(kChunk, mask.size() - begin);
    FillRandomWords(stream, begin / 4, absl::MakeSpan(words.data(), count));
    T* const out = mask.data() + begin;
    for (size_t i = 0; i < count; ++i) out[i] = words[i] < limit ? T{0} : kept;
  }
}

}  // namespace

torch::Tensor Dropout(const torch::Tensor& x, double p, uint64_t stream, int place, bool training) {
  CHECK(p >= 0 && p < 1) << p;
  if (!training || p == 0) return x;
  const torch::Tensor mask = torch::empty(x.sizes(), x.scalar_type());
  const size_t count = static_cast<size_t>(mask.numel());
  const uint64_t words = StreamKey(stream, Purpose::kDropout, /*worker=*/0, /*step=*/place);
  const uint32_t limit = static_cast<uint32_t>(std::min(std::round(p * 0x1p32), 0x1p32 - 1));
  const double kept = 1 / (1 - p);
  if (x.scalar_type() == torch::kFloat32) {
    FillMask(words, limit, static_cast<float>(kept), absl::MakeSpan(mask.data_ptr<float>(), count));
  } else {
    FillMask(words, limit, kept, absl::MakeSpan(mask.data_ptr<double>(), count));
  }
  return x * mask;
}

}  // namespace starling
