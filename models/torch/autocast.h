// Mixed precision, by LibTorch's autocast: matrix products and convolutions take their operands in
// a narrower type, what needs range or precision (softmax, norms, losses) does not. Gradients of
// parameters have the parameters' type.
#ifndef MODELS_TORCH_AUTOCAST_H_
#define MODELS_TORCH_AUTOCAST_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "models/model.h"
#include "torch/types.h"

namespace starling {

// OK, or what keeps `model` from computing in context.autocast.
absl::Status CheckAutocast(absl::string_view model, const Model::Context& context);

// While it lives, this thread computes in `type` on `device` where that is safe; without `type` as
// ever. Around forward passes: a backward pass uses the types of its forward pass.
class AutocastScope {
 public:
  AutocastScope(std::optional<DType> type, torch::DeviceType device);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  const bool on_;
  const torch::DeviceType device_;
};

}  // namespace starling

#endif  // MODELS_TORCH_AUTOCAST_H_
