// Memory wherever it is wanted.
#ifndef CORE_DEVICE_ARENA_H_
#define CORE_DEVICE_ARENA_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/buffer.h"

namespace starling {

// `count` elements of `type`, zeroed; on kDevice on the card that the calling thread uses.
// RESOURCE_EXHAUSTED where the card has no room: says how much was asked for and is free.
absl::StatusOr<Arena> MakeArena(int64_t count, DType type, Place place);

// Memory of the host that a device copies from and to beside other work; where the program has no
// device, as Arena(count, type).
absl::StatusOr<Arena> MakePageLockedArena(int64_t count, DType type);

}  // namespace starling

#endif  // CORE_DEVICE_ARENA_H_
