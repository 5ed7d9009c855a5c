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

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/model.h"
#include "models/torch/torch_net.h"

namespace starling {

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

}  // namespace starling

#endif  // MODELS_TORCH_TORCH_MODEL_H_
