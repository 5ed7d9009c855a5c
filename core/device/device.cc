#include "core/device/device.h"

#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

Device* (*make_device)() = nullptr;
thread_local Queue* current_queue = nullptr;

}  // namespace

Device* LinkedDevice() {
  static Device* const device = make_device == nullptr ? nullptr : make_device();
  return device;
}

bool HasDeviceLibrary() { return make_device != nullptr; }

bool LinkDevice(Device* (*make)()) {
  make_device = make;
  return true;
}

Queue* CurrentQueue() { return current_queue; }

QueueScope::QueueScope(Queue* queue) : before_(current_queue) { current_queue = queue; }
QueueScope::~QueueScope() { current_queue = before_; }

absl::StatusOr<OwnedQueue> OwnedQueue::New() {
  ASSIGN_OR_RETURN(Queue* const queue, CHECK_NOTNULL(LinkedDevice())->NewQueue());
  return OwnedQueue(queue);
}

}  // namespace starling
