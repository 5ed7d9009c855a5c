#include "core/random/random.h"

#include <cmath>

#include "glog/logging.h"

namespace starling {

uint64_t StreamKey(uint64_t seed, Purpose purpose, int worker, int64_t step) {
  const auto words = Philox4x32(
      {static_cast<uint32_t>(purpose), static_cast<uint32_t>(worker), static_cast<uint32_t>(step),
       static_cast<uint32_t>(static_cast<uint64_t>(step) >> 32)},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

uint32_t Random::Next32() {
  if (used_ == 4) {
    words_ = WordsOfBlock(stream_, block_++);
    used_ = 0;
  }
  return words_[used_++];
}

uint64_t Random::Next64() {
  const uint64_t low = Next32();
  return low | static_cast<uint64_t>(Next32()) << 32;
}

double Random::Uniform() { return static_cast<double>(Next64() >> 11) * 0x1.0p-53; }

int64_t Random::Below(int64_t bound) {
  CHECK_GT(bound, 0);
  // Rejecting the incomplete last multiple of `bound` keeps every value equally likely.
  const uint64_t range = static_cast<uint64_t>(bound);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
  uint64_t value;
  do {
    value = Next64();
  } while (value >= limit);
  return static_cast<int64_t>(value % range);
}

double Random::Normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-Uniform()));
  return radius * std::cos(6.283185307179586477 * Uniform());
}

double Random::Gamma(double shape) {
  CHECK_GT(shape, 0);
  if (shape < 1) {  // Gamma(a) = Gamma(a + 1) * U^(1/a)
    const double boosted = Gamma(shape + 1);
    return boosted * std::pow(1.0 - Uniform(), 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double z = Normal();
    const double v = std::pow(1.0 + c * z, 3);
    if (v <= 0) continue;
    if (std::log1p(-Uniform()) < 0.5 * z * z + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace starling
