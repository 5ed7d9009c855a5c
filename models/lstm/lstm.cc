// An LSTM that predicts the next token of a text, as Zaremba, Sutskever, Vinyals, "Recurrent Neural
// Network Regularization", 2014: embedding, LSTMs with dropout between them (not inside), linear
// layer. Sizes: README.md.
#include <cmath>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/layout.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/language.h"
#include "models/lstm/lstm.pb.h"
#include "models/model.h"
#include "models/torch/dropout.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/embedding.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

// All layers, with the names of torch.nn.LSTM's tensors. (Its own forward would draw the masks
// between layers from LibTorch's generator.)
struct Layers : torch::nn::Module {
  Layers(int64_t in, int64_t hidden, int64_t layers) : hidden(hidden) {
    for (int64_t i = 0; i < layers; ++i) {
      const auto add = [&](const char* name, at::IntArrayRef shape) {
        return register_parameter(absl::StrCat(name, "_l", i), torch::zeros(shape));
      };
      weights.push_back({add("weight_ih", {4 * hidden, i == 0 ? in : hidden}),
                         add("weight_hh", {4 * hidden, hidden}), add("bias_ih", {4 * hidden}),
                         add("bias_hh", {4 * hidden})});
    }
  }

  // Layer i of x: [examples, tokens, units], from zero states.
  torch::Tensor forward(size_t i, const torch::Tensor& x) {
    const torch::Tensor start = torch::zeros({1, x.size(0), hidden}, x.options());
    return std::get<0>(torch::lstm(x, {start, start}, weights[i], /*has_biases=*/true,
                                   /*num_layers=*/1, /*dropout=*/0.0, is_training(),
                                   /*bidirectional=*/false, /*batch_first=*/true));
  }

  const int64_t hidden;
  std::vector<std::vector<torch::Tensor>> weights;
};

class Lstm final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const LstmConfig& config,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const LanguageSpec data, LanguageOf("lstm", *context.data, 0));
    if (config.tied() && config.embedding() != config.hidden()) {
      return absl::InvalidArgumentError(
          absl::StrCat("model \"lstm\": tied takes embeddings as wide as the LSTMs; embedding is ",
                       config.embedding(), " and hidden ", config.hidden()));
    }
    return MakeTorchModel("lstm", context, [&] {
      const auto lstm = std::make_shared<Lstm>(config, data);
      return TorchNet{
          lstm,
          [net = lstm.get()](const std::vector<torch::Tensor>& fields, uint64_t stream) {
            return CrossEntropy(net->forward(fields[0], stream), fields[1].flatten());
          },
          [hidden = config.hidden()](const TensorInfo& tensor) {
            return StartingValue(tensor, hidden);
          },
          /*takes_any_length=*/true};
    });
  }

  Lstm(const LstmConfig& config, const LanguageSpec& data)
      : dropout_(config.dropout()),
        embedding_(register_module("embedding",
                                   torch::nn::Embedding(data.vocabulary, config.embedding()))),
        lstm_(register_module("lstm", std::make_shared<Layers>(config.embedding(), config.hidden(),
                                                               config.layers()))) {
    if (!config.tied()) {
      head_ = register_module("head", torch::nn::Linear(config.hidden(), data.vocabulary));
    }
  }

  // Logits, [examples * tokens, vocabulary].
  torch::Tensor forward(const torch::Tensor& tokens, uint64_t stream) {
    int place = 0;
    const auto drop = [&](const torch::Tensor& x) {
      return Dropout(x, dropout_, stream, place++, is_training());
    };
    torch::Tensor x = drop(embedding_(tokens));
    for (size_t i = 0; i < lstm_->weights.size(); ++i) x = drop(lstm_->forward(i, x));
    x = x.flatten(0, 1);
    return head_ ? head_(x) : torch::linear(x, embedding_->weight);
  }

 private:
  // PyTorch's for LSTMs and linear layers. Its N(0, 1) for embeddings is too much for a matrix that
  // also gives the logits: U(-0.1, 0.1), as in its example of word prediction.
  static std::optional<StartingDistribution> StartingValue(const TensorInfo& tensor,
                                                           int64_t hidden) {
    StartingDistribution distribution;
    if (absl::StartsWith(tensor.name, "lstm.")) {
      distribution.bound = 1 / std::sqrt(static_cast<double>(hidden));
    } else if (tensor.name == "embedding.weight") {
      distribution.bound = 0.1;
    } else {
      return std::nullopt;
    }
    return distribution;
  }

  const double dropout_;
  torch::nn::Embedding embedding_;
  const std::shared_ptr<Layers> lstm_;
  torch::nn::Linear head_ = nullptr;
};

STARLING_REGISTER_PLUGIN(Model, Lstm, LstmConfig,
                         PluginFacts{"lstm", "LSTM that predicts the next token",
                                     "Zaremba, Sutskever, Vinyals 2014",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
