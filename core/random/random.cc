#include "core/random/random.h"

#include <cmath>

#include "glog/logging.h"

namespace starling {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0];
    const uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

uint64_t StreamKey(uint64_t seed, Purpose purpose, int worker, int64_t step) {
  const auto words = Philox4x32(
      {static_cast<uint32_t>(purpose), static_cast<uint32_t>(worker), static_cast<uint32_t>(step),
       static_cast<uint32_t>(static_cast<uint64_t>(step) >> 32)},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

uint32_t Random::Next32() {
  if (used_ == 4) {
    words_ = Philox4x32({static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32), 0, 0},
                        {static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)});
    ++block_;
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
