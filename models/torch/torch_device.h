// LibTorch on the program's device (core/device/device.h). A program has it if it is built with
// --config=cuda and a LibTorch that computes with CUDA; Debian's does not.
#ifndef MODELS_TORCH_TORCH_DEVICE_H_
#define MODELS_TORCH_TORCH_DEVICE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "torch/types.h"

namespace starling {

class TorchDevice {
 public:
  // While it lives, what LibTorch is given on this thread goes to the thread's current queue, and a
  // backward pass, with its hooks, runs on this thread. Around everything that touches a tensor of
  // the device.
  class Scope {
   public:
    virtual ~Scope() = default;
  };

  virtual ~TorchDevice() = default;

  // The calling thread's card.
  virtual torch::Device device() const = 0;
  virtual std::unique_ptr<Scope> Enter() = 0;

  // Whether the same numbers come out each time, bit for bit; of the whole process. Operators that
  // cannot give that refuse to run.
  virtual void SetDeterministic(bool deterministic) = 0;
};

// LibTorch on the device of this program; null: it has none.
TorchDevice* LinkedTorchDevice();

// Before main, by the library that has it. Not owned.
bool LinkTorchDevice(TorchDevice* device);

// The same, or what is missing and where to get it: FAILED_PRECONDITION, in the name of `model`.
absl::StatusOr<TorchDevice*> TorchDeviceFor(absl::string_view model);

}  // namespace starling

#endif  // MODELS_TORCH_TORCH_DEVICE_H_
