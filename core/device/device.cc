#include "core/device/device.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

const char* device_library = "";
absl::StatusOr<Device*> (*make_device)() = nullptr;
thread_local Queue* current_queue = nullptr;

const absl::StatusOr<Device*>& TheDevice() {
  static const auto* const device = new absl::StatusOr<Device*>(
      HasDeviceLibrary() ? make_device()
                         : absl::FailedPreconditionError("this program links no device"));
  return *device;
}

}  // namespace

Device* LinkedDevice() { return TheDevice().ok() ? *TheDevice() : nullptr; }

absl::Status DeviceStatus() { return TheDevice().status(); }

bool HasDeviceLibrary() { return make_device != nullptr; }

absl::string_view DeviceLibrary() { return device_library; }

absl::StatusOr<std::optional<int>> CardNamed(absl::string_view device) {
  if (device == "cpu") return std::nullopt;
  absl::string_view number = device;
  int card = 0;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &card) || card < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", device, "\" is neither cpu nor a GPU: cuda:0, cuda:1, ..."));
  }
  if (!HasDeviceLibrary()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "device \"", device, "\": this program was built without CUDA; build with --config=cuda"));
  }
  if (LinkedDevice() == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("device \"", device, "\": this machine has no GPU that CUDA can use; ",
                     "`starling doctor` says more"));
  }
  const absl::Status usable = LinkedDevice()->UseCard(card);
  if (!usable.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("device \"", device, "\": ", usable.message()));
  }
  return card;
}

bool LinkDevice(const char* built_with, absl::StatusOr<Device*> (*make)()) {
  device_library = built_with;
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
