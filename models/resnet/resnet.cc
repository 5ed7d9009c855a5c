// ResNet (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016), with the
// layers, names and starting distributions of torchvision's; in bottlenecks the 3x3 convolution
// strides, as there. Cross-entropy loss, with label smoothing on request. Sizes: README.md.
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/layout.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/classification.h"
#include "models/model.h"
#include "models/resnet/resnet.pb.h"
#include "models/torch/starting_values.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/batchnorm.h"
#include "torch/nn/modules/container/sequential.h"
#include "torch/nn/modules/conv.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

constexpr int64_t kExpansion = 4;  // channels of a bottleneck's output / of its 3x3 convolution

struct Shape {
  bool bottleneck = false;
  std::vector<int64_t> blocks;  // of each stage
};

absl::StatusOr<Shape> ShapeOf(const ResnetConfig& config) {
  Shape shape;
  switch (config.depth()) {
    case 18:
      shape = {false, {2, 2, 2, 2}};
      break;
    case 34:
      shape = {false, {3, 4, 6, 3}};
      break;
    case 50:
      shape = {true, {3, 4, 6, 3}};
      break;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("model \"resnet\": depth is ", config.depth(), "; it must be 18, 34 or 50"));
  }
  if (config.blocks_size() > 0) shape.blocks = {config.blocks().begin(), config.blocks().end()};
  return shape;
}

torch::nn::Conv2d Convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

// relu(residual(x) + shortcut(x)).
class Block final : public torch::nn::Module {
 public:
  // channels: of the 3x3 convolutions. Only the first block of a stage may stride.
  Block(bool bottleneck, int64_t in, int64_t channels, int64_t stride) {
    if (bottleneck) {
      Add(in, channels, 1, 1);
      Add(channels, channels, 3, stride);
      Add(channels, channels * kExpansion, 1, 1);
    } else {
      Add(in, channels, 3, stride);
      Add(channels, channels, 3, 1);
    }
    const int64_t out = bottleneck ? channels * kExpansion : channels;
    if (stride != 1 || in != out) {
      downsample_ = register_module(
          "downsample",
          torch::nn::Sequential(Convolution(in, out, 1, stride), torch::nn::BatchNorm2d(out)));
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    torch::Tensor y = x;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
      y = norms_[i](convolutions_[i](y));
      if (i + 1 < convolutions_.size()) y.relu_();
    }
    y += downsample_.is_empty() ? x : downsample_->forward(x);
    return y.relu_();
  }

 private:
  void Add(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    const size_t number = convolutions_.size() + 1;
    convolutions_.push_back(
        register_module(absl::StrCat("conv", number), Convolution(in, out, kernel, stride)));
    norms_.push_back(register_module(absl::StrCat("bn", number), torch::nn::BatchNorm2d(out)));
  }

  std::vector<torch::nn::Conv2d> convolutions_;
  std::vector<torch::nn::BatchNorm2d> norms_;
  torch::nn::Sequential downsample_{nullptr};
};

class Resnet final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const ResnetConfig& config,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const Shape shape, ShapeOf(config));
    ASSIGN_OR_RETURN(const auto data,
                     ClassificationOf("resnet", *context.data, /*any_extents=*/true));
    if (data.shape.size() != 3 || data.shape[0] < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model \"resnet\" needs images [C, H, W]; data set gives ", ShapeText(data.shape)));
    }
    return MakeTorchModel("resnet", context, [&] { return Net(config, shape, data); });
  }

  Resnet(const ResnetConfig& config, const Shape& shape, const ClassificationSpec& data)
      : pools_(config.stem() == ResnetConfig::IMAGENET),
        channels_last_(config.channels_last()),
        conv1_(register_module("conv1", pools_ ? Convolution(data.shape[0], config.width(), 7, 2)
                                               : Convolution(data.shape[0], config.width(), 3, 1))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(config.width()))) {
    int64_t in = config.width(), channels = config.width();
    for (size_t stage = 0; stage < shape.blocks.size(); ++stage, channels *= 2) {
      torch::nn::Sequential blocks;
      for (int64_t block = 0; block < shape.blocks[stage]; ++block) {
        const int64_t stride = stage > 0 && block == 0 ? 2 : 1;
        blocks->push_back(std::make_shared<Block>(shape.bottleneck, in, channels, stride));
        in = shape.bottleneck ? channels * kExpansion : channels;
      }
      stages_.push_back(register_module(absl::StrCat("layer", stage + 1), blocks));
    }
    fc_ = register_module("fc", torch::nn::Linear(in, data.classes));
  }

  torch::Tensor forward(torch::Tensor x) {
    // Everything behind it keeps the order; convolutions bring their weights into it.
    if (channels_last_) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    x = bn1_(conv1_(x)).relu_();
    if (pools_) x = torch::max_pool2d(x, 3, 2, 1);
    for (torch::nn::Sequential& stage : stages_) x = stage->forward(x);
    return fc_(x.mean({2, 3}));
  }

 private:
  static TorchNet Net(const ResnetConfig& config, const Shape& shape,
                      const ClassificationSpec& data) {
    const auto module = std::make_shared<Resnet>(config, shape, data);
    TorchNet net;
    net.module = module;
    net.forward = [net = module.get(), smoothing = config.label_smoothing()](
                      const std::vector<torch::Tensor>& fields, uint64_t) {
      return CrossEntropy(net->forward(fields[0]), fields[1], smoothing);
    };
    const char* last_norm = shape.bottleneck ? ".bn3.weight" : ".bn2.weight";
    net.starting = [last_norm, zero_init = config.zero_init_residual()](const TensorInfo& tensor) {
      std::optional<StartingDistribution> chosen;
      if (tensor.shape.size() == 4) {
        // kaiming_normal_(mode = "fan_out", nonlinearity = "relu").
        const int64_t fan_out = tensor.shape[0] * tensor.shape[2] * tensor.shape[3];
        chosen.emplace().deviation = std::sqrt(2.0 / static_cast<double>(fan_out));
      } else if (zero_init && absl::EndsWith(tensor.name, last_norm)) {
        chosen.emplace();
      }
      return chosen;
    };
    return net;
  }

  const bool pools_, channels_last_;
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  std::vector<torch::nn::Sequential> stages_;
  torch::nn::Linear fc_{nullptr};
};

STARLING_REGISTER_PLUGIN(Model, Resnet, ResnetConfig,
                         PluginFacts{"resnet", "residual network with batch norm, for images",
                                     "He, Zhang, Ren, Sun, CVPR 2016",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
