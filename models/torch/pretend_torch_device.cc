// LibTorch on a device whose memory is the host's (core/device/pretend_device.h,
// core/device/cuda/on_host): it waits for what is queued, and computes at once.
#include <memory>

#include "core/device/device.h"
#include "models/torch/torch_device.h"

namespace starling {
namespace {

class PretendTorchDevice final : public TorchDevice {
 public:
  torch::Device device() const override { return torch::Device(torch::kCPU); }

  std::unique_ptr<Scope> Enter() override {
    // Asked like this, nobody is said to have waited.
    while (!QueuePoint::After(CurrentQueue()).passed()) continue;
    return std::make_unique<Scope>();
  }

  void SetDeterministic(bool) override {}
};

[[maybe_unused]] const bool is_linked = LinkTorchDevice(new PretendTorchDevice);

}  // namespace
}  // namespace starling
