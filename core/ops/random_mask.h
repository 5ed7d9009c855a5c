// Random masks, where the numbers are that they are for.
#ifndef CORE_OPS_RANDOM_MASK_H_
#define CORE_OPS_RANDOM_MASK_H_

#include <cstdint>

#include "core/buffer.h"

namespace starling::ops {

// mask_i <- 0 if word i of Random(stream) is below `limit`, else `kept` (rounded once). `mask`: F32
// or F64, on the host or the device, with the same bits.
void RandomMask(uint64_t stream, uint32_t limit, double kept, Buffer mask);

}  // namespace starling::ops

#endif  // CORE_OPS_RANDOM_MASK_H_
