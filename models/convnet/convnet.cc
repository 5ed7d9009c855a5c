// A small convolutional network for images, after LeNet-5 (LeCun, Bottou, Bengio, Haffner,
// "Gradient-based learning applied to document recognition", 1998): two convolutions, each with
// max pooling and ReLU, then two linear layers. Cross-entropy loss. Sizes: README.md.
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/classification.h"
#include "models/convnet/convnet.pb.h"
#include "models/model.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/conv.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

constexpr int64_t kKernel1 = 5, kKernel2 = 3;
constexpr int64_t kSmallestImage = 12;

// Rows (or columns) left of `extent` after both convolutions (no padding) and poolings (halving).
int64_t AfterConvolutions(int64_t extent) {
  return ((extent - kKernel1 + 1) / 2 - kKernel2 + 1) / 2;
}

class Convnet final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const ConvnetConfig& config,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const auto data, ClassificationOf("convnet", *context.data));
    if (data.shape.size() != 3 || data.shape[1] < kSmallestImage ||
        data.shape[2] < kSmallestImage) {
      return absl::InvalidArgumentError(
          absl::StrCat("model \"convnet\" needs images [C, H, W] with H, W >= ", kSmallestImage,
                       "; data set gives ", ShapeText(data.shape)));
    }
    return MakeTorchModel("convnet", context,
                          [&] { return Classifier(std::make_shared<Convnet>(config, data)); });
  }

  Convnet(const ConvnetConfig& config, const ClassificationSpec& data)
      : conv1_(register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(
                                            data.shape[0], config.channels1(), kKernel1)))),
        conv2_(register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(
                                            config.channels1(), config.channels2(), kKernel2)))),
        fc1_(register_module(
            "fc1", torch::nn::Linear(config.channels2() * AfterConvolutions(data.shape[1]) *
                                         AfterConvolutions(data.shape[2]),
                                     config.hidden()))),
        fc2_(register_module("fc2", torch::nn::Linear(config.hidden(), data.classes))) {}

  torch::Tensor forward(torch::Tensor x) {
    // With the channels innermost, pooling takes a tenth of the time, the whole step a half.
    x = x.clone(at::MemoryFormat::ChannelsLast);
    // Pooling first: the same values as ReLU first, which would see four times as many.
    x = torch::relu(torch::max_pool2d(conv1_(x), 2));
    x = torch::relu(torch::max_pool2d(conv2_(x), 2));
    x = torch::relu(fc1_(x.flatten(1)));
    return fc2_(x);
  }

 private:
  torch::nn::Conv2d conv1_, conv2_;
  torch::nn::Linear fc1_, fc2_;
};

STARLING_REGISTER_PLUGIN(Model, Convnet, ConvnetConfig,
                         PluginFacts{"convnet",
                                     "small convolutional network for images, after LeNet-5",
                                     "LeCun, Bottou, Bengio, Haffner 1998",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
