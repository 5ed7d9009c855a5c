// The shared base of all models that LibTorch computes: makes a starling::Model of a
// torch::nn::Module and a function that returns its losses.
//
//   struct Perceptron : torch::nn::Module {
//     Perceptron(int64_t in, int64_t out)
//         : fc(register_module("fc", torch::nn::Linear(in, out))) {}
//     torch::Tensor forward(torch::Tensor x) { return fc(x.flatten(1)); }
//     torch::nn::Linear fc;
//   };
//   return MakeTorchModel("perceptron", context, [=] {
//     return Classifier(std::make_shared<Perceptron>(in, out));
//   });
//
// Parameters and gradients are views into the bound arenas: binding redirects the module's
// tensors, autograd adds into the gradient views (zeroed before each pass), and a hook behind each
// parameter's gradient accumulator counts the tensors of its bucket down. Tensor names are
// PyTorch's ("fc.weight"). Their order is the order in which autograd completes their gradients,
// traced once at creation with a batch of zeros (tokens: ones); the pass changes no state.
//
// Parameters start from PyTorch's default distributions, or those that the net chooses, drawn from
// our streams (starting_values.h); what LibTorch's own generator gave to the module's constructor
// is overwritten, unless the net says that it starts as it was built.
//
// A model computes on the calling thread alone (LibTorch is told so, once per thread). Models
// share nothing: several may compute at the same time on different threads.
#ifndef MODELS_TORCH_TORCH_MODEL_H_
#define MODELS_TORCH_TORCH_MODEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/model.h"
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

// Makes the model `name` (for messages). `build` makes the module with float32 parameters on the
// CPU; its layers are named as users shall see them. It may throw LibTorch's exceptions: they
// become INVALID_ARGUMENT, like those of later passes. Parameters that get no gradient are an
// error too. The module's buffers (batch-norm statistics) are the model's state.
absl::StatusOr<std::unique_ptr<Model>> MakeTorchModel(absl::string_view name,
                                                      const Model::Context& context,
                                                      const std::function<TorchNet()>& build);

// The net inside `model` (a copy outlives it); null if MakeTorchModel did not make it. For
// benchmarks that run it without our engine.
const TorchNet* NetOf(const Model& model);

// Runs `body`. What it throws becomes INVALID_ARGUMENT: "<context>: <first line of text>".
absl::Status CatchExceptions(absl::string_view context, const std::function<void()>& body);

// Cross-entropy of each example. `logits`: [examples, classes]; `labels`: [examples], int64.
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

}  // namespace starling

#endif  // MODELS_TORCH_TORCH_MODEL_H_
