// LibTorch with CUDA.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <memory>

#include "ATen/Context.h"
#include "c10/core/AutogradState.h"
#include "c10/cuda/CUDAGuard.h"
#include "c10/cuda/CUDAStream.h"
#include "core/device/device.h"
#include "glog/logging.h"
#include "models/torch/torch_device.h"

namespace starling {
namespace {

// LibTorch brings a CUDA runtime of its own beside ours. Cards are numbered alike in both, and the
// guard below chooses ours in the other one.
c10::DeviceIndex Card() {
  int card = 0;
  CHECK_EQ(cudaGetDevice(&card), cudaSuccess);
  return static_cast<c10::DeviceIndex>(card);
}

class CudaScope final : public TorchDevice::Scope {
 public:
  CudaScope()
      : guard_(c10::cuda::getStreamFromExternal(reinterpret_cast<cudaStream_t>(CurrentQueue()),
                                                Card())),
        multithreaded_(c10::AutogradState::get_tls_state().get_multithreading_enabled()) {
    // Autograd has one thread per card, for all workers: a gradient hook there would not see its
    // worker's queue, and one that waits for another worker's would wait for ever.
    c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
  }
  ~CudaScope() override {
    c10::AutogradState::get_tls_state().set_multithreading_enabled(multithreaded_);
  }

 private:
  const c10::cuda::CUDAStreamGuard guard_;
  const bool multithreaded_;
};

class CudaTorchDevice final : public TorchDevice {
 public:
  torch::Device device() const override { return torch::Device(torch::kCUDA, Card()); }
  std::unique_ptr<Scope> Enter() override { return std::make_unique<CudaScope>(); }

  void SetDeterministic(bool deterministic) override {
    at::Context& context = at::globalContext();
    context.setDeterministicCuDNN(deterministic);
    context.setBenchmarkCuDNN(!deterministic);
    context.setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
    context.setDeterministicFillUninitializedMemory(false);  // a pass over memory for debugging
  }
};

// cuBLAS reads it when it starts: with this workspace its results do not depend on what else runs
// on the card. Here, because no other thread may look at the environment meanwhile.
[[maybe_unused]] const bool is_linked =
    setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0) == 0 &&
    LinkTorchDevice(new CudaTorchDevice);

}  // namespace
}  // namespace starling
