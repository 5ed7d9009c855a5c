#include "models/torch/torch_device.h"

#include "absl/strings/str_cat.h"
#include "core/device/device.h"
#include "torch/version.h"

namespace starling {
namespace {

TorchDevice* linked = nullptr;

}  // namespace

TorchDevice* LinkedTorchDevice() { return linked; }

bool LinkTorchDevice(TorchDevice* device) {
  linked = device;
  return true;
}

absl::StatusOr<TorchDevice*> TorchDeviceFor(absl::string_view model) {
  if (linked == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "model \"", model, "\" cannot compute on a GPU: this program was built with LibTorch ",
        TORCH_VERSION, " without CUDA. Build it with --config=cuda and a LibTorch that has CUDA, ",
        "e.g. pip's: LIBTORCH_HOME=.../site-packages/torch ./bazelw build --config=cuda ..."));
  }
  if (LinkedDevice() == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "model \"", model, "\" cannot compute on a GPU: this machine has none that CUDA can use"));
  }
  return linked;
}

}  // namespace starling
