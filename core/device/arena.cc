#include "core/device/arena.h"

#include "core/device/device.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {

absl::StatusOr<Arena> MakeArena(int64_t count, DType type, Place place) {
  if (place != Place::kDevice) return Arena(count, type, place);
  Device* const device = CHECK_NOTNULL(LinkedDevice());
  Buffer buffer{nullptr, count, type, place};
  if (count > 0) {
    ASSIGN_OR_RETURN(buffer.data, device->Allocate(buffer.bytes()));
  }
  return Arena(buffer, [](void* memory) { LinkedDevice()->Free(memory); });
}

absl::StatusOr<Arena> MakePageLockedArena(int64_t count, DType type) {
  Device* const device = LinkedDevice();
  if (device == nullptr || count == 0) return Arena(count, type);
  Buffer buffer{nullptr, count, type, Place::kHost};
  ASSIGN_OR_RETURN(buffer.data, device->AllocateOnHost(buffer.bytes()));
  return Arena(buffer, [](void* memory) { LinkedDevice()->FreeOnHost(memory); });
}

}  // namespace starling
