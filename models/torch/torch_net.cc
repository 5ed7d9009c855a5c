#include "models/torch/torch_net.h"

#include "absl/strings/str_cat.h"
#include "models/torch/tensors.h"

namespace starling {

torch::Tensor InFullPrecision(const torch::Tensor& x) {
  return x.to(torch::promote_types(x.scalar_type(), torch::kFloat32));
}

TorchOutput CrossEntropy(const torch::Tensor& logits, const torch::Tensor& labels,
                         double smoothing) {
  const torch::Tensor log_softmax = torch::log_softmax(InFullPrecision(logits), 1);
  TorchOutput output;
  output.losses = torch::nll_loss(log_softmax, labels, /*weight=*/{}, at::Reduction::None);
  if (!torch::GradMode::is_enabled()) {
    output.correct = logits.argmax(1).eq(labels);
  } else if (smoothing > 0) {
    output.losses = output.losses * (1 - smoothing) - log_softmax.mean(1) * smoothing;
  }
  return output;
}

absl::Status CheckBuffers(absl::string_view title, const torch::nn::Module& module) {
  for (const auto& item : module.named_buffers()) {
    const torch::Tensor& tensor = item.value();
    if (!DTypeFor(tensor.scalar_type()).has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          title, ": buffer \"", item.key(), "\" is of type ", torch::toString(tensor.scalar_type()),
          "; buffers may be floating-point, int, long, byte or bool"));
    }
    if (!tensor.is_contiguous()) {
      return absl::InvalidArgumentError(absl::StrCat(title, ": buffer \"", item.key(),
                                                     "\" is not contiguous; register its "
                                                     "contiguous()"));
    }
  }
  return absl::OkStatus();
}

}  // namespace starling
