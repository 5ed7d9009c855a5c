// Multilayer perceptron: flatten, then hidden layers fc1, fc2, ... with ReLU, then one linear
// layer to the classes. Cross-entropy loss.
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/classification.h"
#include "models/mlp/mlp.pb.h"
#include "models/model.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

class Mlp final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const MlpConfig& config,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const auto data, ClassificationOf("mlp", *context.data));
    std::vector<int64_t> sizes = {data.size};
    sizes.insert(sizes.end(), config.hidden().begin(), config.hidden().end());
    sizes.push_back(data.classes);
    return MakeTorchModel("mlp", context, [&] { return Classifier(std::make_shared<Mlp>(sizes)); });
  }

  // sizes: of the input, the hidden layers and the output.
  explicit Mlp(const std::vector<int64_t>& sizes) {
    for (size_t i = 1; i < sizes.size(); ++i) {
      layers_.push_back(
          register_module(absl::StrCat("fc", i), torch::nn::Linear(sizes[i - 1], sizes[i])));
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    x = x.flatten(1);
    for (torch::nn::Linear& layer : layers_) {
      x = layer(x);
      if (layer.ptr() != layers_.back().ptr()) x = torch::relu(x);
    }
    return x;
  }

 private:
  std::vector<torch::nn::Linear> layers_;
};

STARLING_REGISTER_PLUGIN(Model, Mlp, MlpConfig,
                         PluginFacts{"mlp", "multilayer perceptron with ReLU (hidden: layer sizes)",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
