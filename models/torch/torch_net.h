// What LibTorch computes for a model: a module and its losses (torch_model.h makes a Model of it).
#ifndef MODELS_TORCH_TORCH_NET_H_
#define MODELS_TORCH_TORCH_NET_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/torch/starting_values.h"
#include "torch/nn/module.h"
#include "torch/types.h"

namespace starling {

// One entry per target: per example, or per token that is predicted.
struct TorchOutput {
  torch::Tensor losses;
  torch::Tensor correct;  // 1 where predicted correctly, else 0; needed in evaluation only,
                          // undefined without classes
};

struct TorchNet {
  std::shared_ptr<torch::nn::Module> module;

  // `fields`: those of the batch, floating-point ones in the model's type, integers as int64, each
  // with the batch axis in front. `stream` feeds dropout; module->is_training() tells whether it
  // is wanted. LibTorch's own generator must not be used.
  std::function<TorchOutput(const std::vector<torch::Tensor>& fields, uint64_t stream)> forward;

  // For tensors that do not start from PyTorch's default distributions; may be empty.
  StartingChoice starting;

  // The net takes shorter sequences than the data set's too: its gradients' order is then found on
  // short ones.
  bool takes_any_length = false;

  // The translations of a batch (Model::Translate), with gradients off; may be empty.
  std::function<std::vector<std::vector<int64_t>>(const std::vector<torch::Tensor>& fields)>
      translate = nullptr;

  // kAsBuilt: parameters start with the values that `module` was made with.
  enum class Start { kDrawn, kAsBuilt };
  Start start = Start::kDrawn;
};

// `x` in float32 if it is of fewer bits: for losses under autocast.
torch::Tensor InFullPrecision(const torch::Tensor& x);

// Cross-entropy of each example, in full precision. `logits`: [examples, classes]; `labels`:
// [examples], int64.
//
// In training the target is smoothed: 1 - smoothing for the label and smoothing / classes for every
// class (Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016,
// section 7). Evaluations measure the plain loss.
TorchOutput CrossEntropy(const torch::Tensor& logits, const torch::Tensor& labels,
                         double smoothing = 0);

// A net whose module->forward turns field 0 into logits, trained on the labels in field 1.
template <typename Module>
TorchNet Classifier(std::shared_ptr<Module> module) {
  return {module,
          [net = module.get()](const std::vector<torch::Tensor>& fields, uint64_t) {
            return CrossEntropy(net->forward(fields[0]), fields[1]);
          },
          /*starting=*/nullptr, /*takes_any_length=*/false};
}

// OK if the buffers of `module` can be kept as state, element by element; else INVALID_ARGUMENT
// names the first that cannot. `title`: "model \"mlp\"".
absl::Status CheckBuffers(absl::string_view title, const torch::nn::Module& module);

}  // namespace starling

#endif  // MODELS_TORCH_TORCH_NET_H_
