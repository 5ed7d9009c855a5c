#include "models/torch/autocast.h"

#include "ATen/autocast_mode.h"
#include "absl/strings/str_cat.h"
#include "models/torch/tensors.h"
#include "torch/version.h"

namespace starling {
namespace {

#if TORCH_VERSION_MAJOR >= 2
constexpr bool kHostHasF16 = true;

void Enable(torch::DeviceType device, torch::ScalarType type) {
  at::autocast::set_autocast_dtype(device, type);
  at::autocast::set_autocast_enabled(device, true);
}

void Disable(torch::DeviceType device) { at::autocast::set_autocast_enabled(device, false); }
#else
constexpr bool kHostHasF16 = false;

// There is no other device than the host with it (torch_device.h).
void Enable(torch::DeviceType, torch::ScalarType type) {
  at::autocast::set_autocast_cpu_dtype(type);
  at::autocast::set_cpu_enabled(true);
}

void Disable(torch::DeviceType) { at::autocast::set_cpu_enabled(false); }
#endif

}  // namespace

absl::Status CheckAutocast(absl::string_view model, const Model::Context& context) {
  if (!context.autocast.has_value()) return absl::OkStatus();
  const absl::string_view type = DTypeName(*context.autocast);
  if (context.dtype != DType::kF32) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", model, "\": mixed precision is of F32 and ", type, ", but ",
                     "train.dtype is ", DTypeName(context.dtype)));
  }
  if (context.autocast == DType::kF16 && context.place == Place::kHost && !kHostHasF16) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", model, "\": LibTorch ", TORCH_VERSION,
                     " has F16 on GPUs only; on the host ", "train.autocast may be BF16"));
  }
  return absl::OkStatus();
}

AutocastScope::AutocastScope(std::optional<DType> type, torch::DeviceType device)
    : on_(type.has_value()), device_(device) {
  if (!on_) return;
  // LibTorch would keep converted parameters in a cache that all threads share and any of them
  // empties: what is then converted twice, and so its gradient's rounding, would depend on time.
  at::autocast::set_autocast_cache_enabled(false);
  Enable(device, ScalarTypeOf(*type));
}

AutocastScope::~AutocastScope() {
  if (!on_) return;
  Disable(device_);
  at::autocast::set_autocast_cache_enabled(true);
}

}  // namespace starling
