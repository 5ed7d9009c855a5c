// A number that a device is about to compute, for a host that goes on meanwhile.
//
//   DeferredNumber loss;
//   RETURN_IF_ERROR(loss.Take(result.loss));   // the host starts the next step ...
//   ASSIGN_OR_RETURN(double value, loss.Read());   // ... and waits for this one alone
#ifndef CORE_DEVICE_DEFERRED_NUMBER_H_
#define CORE_DEVICE_DEFERRED_NUMBER_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/device/device.h"

namespace starling {

class DeferredNumber {
 public:
  DeferredNumber() = default;
  ~DeferredNumber() { taken_.Wait().IgnoreError(); }  // then its memory may go
  DeferredNumber(DeferredNumber&&) = default;
  DeferredNumber& operator=(DeferredNumber&&) = delete;

  // `number` is one element, F32 or F64. On a device, what it holds when this thread's queue has
  // come so far: it may change behind that. Replaces what was taken before.
  // RESOURCE_EXHAUSTED where the host has no memory for it that can be page-locked.
  absl::Status Take(Buffer number);

  // What was taken, when it is there; errors are those of the device.
  absl::StatusOr<double> Read() const;

 private:
  double value_ = 0;  // of the host
  Arena memory_;      // room for one of a device, of either type; page-locked
  Buffer from_device_;
  QueuePoint taken_;
};

}  // namespace starling

#endif  // CORE_DEVICE_DEFERRED_NUMBER_H_
