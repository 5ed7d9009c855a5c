#include "core/ops/random_mask.h"

#include <algorithm>
#include <array>

#include "absl/types/span.h"
#include "core/device/device.h"
#include "core/random/random_words.h"
#include "glog/logging.h"

namespace starling::ops {
namespace {

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

void RandomMask(uint64_t stream, uint32_t limit, double kept, Buffer mask) {
  CHECK(mask.type == DType::kF32 || mask.type == DType::kF64) << DTypeName(mask.type);
  if (mask.place == Place::kDevice) {
    CHECK_NOTNULL(LinkedDevice())->RandomMask(stream, limit, kept, mask, CurrentQueue());
  } else if (mask.type == DType::kF32) {
    FillMask(stream, limit, static_cast<float>(kept), mask.as<float>());
  } else {
    FillMask(stream, limit, kept, mask.as<double>());
  }
}

}  // namespace starling::ops
