// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011), for host and device.
#ifndef CORE_RANDOM_PHILOX_H_
#define CORE_RANDOM_PHILOX_H_

#include <array>
#include <cstdint>

#include "core/host_device.h"

namespace starling {

// Returns the four 32-bit words of `counter` under `key`.
STARLING_HOST_DEVICE std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter,
                                                        std::array<uint32_t, 2> key) {
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

// The words 4 * block to 4 * block + 3 of the stream (random.h).
STARLING_HOST_DEVICE std::array<uint32_t, 4> WordsOfBlock(uint64_t stream, uint64_t block) {
  return Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
                    {static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)});
}

}  // namespace starling

#endif  // CORE_RANDOM_PHILOX_H_
