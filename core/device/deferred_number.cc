#include "core/device/deferred_number.h"

#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

double ValueOf(const Buffer& number) {
  return number.type == DType::kF32 ? number.as<float>()[0] : number.as<double>()[0];
}

}  // namespace

absl::Status DeferredNumber::Take(Buffer number) {
  CHECK(number.count == 1 && (number.type == DType::kF32 || number.type == DType::kF64));
  if (number.place != Place::kDevice) {
    value_ = ValueOf(number);
    from_device_ = Buffer();
    return absl::OkStatus();
  }
  if (memory_.empty()) {
    ASSIGN_OR_RETURN(memory_, MakePageLockedArena(1, DType::kF64));
  }
  from_device_ = memory_.buffer();
  from_device_.type = number.type;
  ops::Copy(number, from_device_);
  taken_ = QueuePoint::After(CurrentQueue());
  return absl::OkStatus();
}

absl::StatusOr<double> DeferredNumber::Read() const {
  if (from_device_.count == 0) return value_;
  RETURN_IF_ERROR(taken_.Wait());
  return ValueOf(from_device_);
}

}  // namespace starling
