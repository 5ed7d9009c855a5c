// Multinomial logistic regression: one linear layer to the classes, cross-entropy loss. Convex.
#include <memory>

#include "core/registry.h"
#include "core/status.h"
#include "models/classification.h"
#include "models/logistic_regression/logistic_regression.pb.h"
#include "models/model.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

class LogisticRegression final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const LogisticRegressionConfig&,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const auto data, ClassificationOf("logistic_regression", *context.data));
    return MakeTorchModel("logistic_regression", context, [&] {
      return Classifier(std::make_shared<LogisticRegression>(data.size, data.classes));
    });
  }

  LogisticRegression(int64_t size, int64_t classes)
      : linear_(register_module("linear", torch::nn::Linear(size, classes))) {}

  torch::Tensor forward(torch::Tensor x) { return linear_(x.flatten(1)); }

 private:
  torch::nn::Linear linear_;
};

STARLING_REGISTER_PLUGIN(Model, LogisticRegression, LogisticRegressionConfig,
                         PluginFacts{"logistic_regression",
                                     "one linear layer and cross-entropy; convex",
                                     /*source=*/"",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
