// LibTorch on core/device/pretend_device.h, whose memory is the host's: it waits for what is
// queued, and computes at once.
#include <memory>

#include "core/device/pretend_device.h"
#include "models/torch/torch_device.h"

namespace starling {
namespace {

class PretendTorchDevice final : public TorchDevice {
 public:
  torch::Device device() const override { return torch::Device(torch::kCPU); }

  std::unique_ptr<Scope> Enter() override {
    pretend::CatchUp();
    return std::make_unique<Scope>();
  }

  void SetDeterministic(bool) override {}
};

[[maybe_unused]] const bool is_linked = LinkTorchDevice(new PretendTorchDevice);

}  // namespace
}  // namespace starling
