// GPT-2 (Radford, Wu, Child, Luan, Amodei, Sutskever, "Language Models are Unsupervised Multitask
// Learners", 2019): a Transformer decoder with the norms in front of each part, learned positions
// and one matrix for token embeddings and output. Layers, names, starting values: README.md.
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/layout.h"
#include "core/registry.h"
#include "core/status.h"
#include "models/gpt2/gpt2.pb.h"
#include "models/language.h"
#include "models/model.h"
#include "models/torch/dropout.h"
#include "models/torch/torch_model.h"
#include "torch/nn/modules/container/modulelist.h"
#include "torch/nn/modules/embedding.h"
#include "torch/nn/modules/linear.h"

namespace starling {
namespace {

// What dropout needs to know in one pass.
class Drop {
 public:
  Drop(double p, uint64_t stream, bool training) : p_(p), stream_(stream), training_(training) {}
  torch::Tensor operator()(const torch::Tensor& x) {
    return Dropout(x, p_, stream_, place_++, training_);
  }

 private:
  const double p_;
  const uint64_t stream_;
  const bool training_;
  int place_ = 0;
};

torch::nn::Linear Linear(int64_t in, int64_t out, bool bias) {
  return torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(bias));
}

// LibTorch's own layer norm has no switch for its bias.
struct Norm : torch::nn::Module {
  Norm(int64_t width, bool with_bias) {
    weight = register_parameter("weight", torch::ones(width));
    if (with_bias) bias = register_parameter("bias", torch::zeros(width));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return torch::layer_norm(x, weight.sizes(), weight, bias, /*eps=*/1e-5);
  }
  torch::Tensor weight, bias;
};

struct Attention : torch::nn::Module {
  Attention(int64_t width, int64_t heads, bool bias)
      : heads(heads),
        c_attn(register_module("c_attn", Linear(width, 3 * width, bias))),
        c_proj(register_module("c_proj", Linear(width, width, bias))) {}

  // x: [examples, tokens, width]; mask: [1, tokens, tokens], added to the scores.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& mask, Drop* drop) {
    const int64_t examples = x.size(0), tokens = x.size(1), width = x.size(2);
    // [examples, tokens, 3, heads, units] -> three of [examples * heads, tokens, units]
    const auto parts = c_attn(x)
                           .view({examples, tokens, 3, heads, width / heads})
                           .permute({2, 0, 3, 1, 4})
                           .reshape({3, examples * heads, tokens, width / heads})
                           .unbind(0);
    const double scale = 1 / std::sqrt(static_cast<double>(width / heads));
    // Scaling and masking happen in the product: no tensor of all scores more than needed.
    const torch::Tensor scores =
        torch::baddbmm(mask, parts[0], parts[1].transpose(1, 2), /*beta=*/1, /*alpha=*/scale);
    const torch::Tensor mixed = (*drop)(scores.softmax(-1)).bmm(parts[2]);
    return (*drop)(c_proj(mixed.view({examples, heads, tokens, width / heads})
                              .transpose(1, 2)
                              .reshape({examples, tokens, width})));
  }

  const int64_t heads;
  torch::nn::Linear c_attn, c_proj;
};

struct Mlp : torch::nn::Module {
  Mlp(int64_t width, bool bias)
      : c_fc(register_module("c_fc", Linear(width, 4 * width, bias))),
        c_proj(register_module("c_proj", Linear(4 * width, width, bias))) {}
  torch::Tensor forward(const torch::Tensor& x, Drop* drop) {
    return (*drop)(c_proj(torch::gelu(c_fc(x), "tanh")));
  }
  torch::nn::Linear c_fc, c_proj;
};

struct Block : torch::nn::Module {
  explicit Block(const Gpt2Config& c)
      : ln_1(register_module("ln_1", std::make_shared<Norm>(c.width(), c.bias()))),
        attn(register_module("attn", std::make_shared<Attention>(c.width(), c.heads(), c.bias()))),
        ln_2(register_module("ln_2", std::make_shared<Norm>(c.width(), c.bias()))),
        mlp(register_module("mlp", std::make_shared<Mlp>(c.width(), c.bias()))) {}
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& mask, Drop* drop) {
    x = x + attn->forward(ln_1->forward(x), mask, drop);
    return x + mlp->forward(ln_2->forward(x), drop);
  }
  std::shared_ptr<Norm> ln_1;
  std::shared_ptr<Attention> attn;
  std::shared_ptr<Norm> ln_2;
  std::shared_ptr<Mlp> mlp;
};

// The part that is called "transformer" in the names of tensors.
struct Transformer : torch::nn::Module {
  explicit Transformer(const Gpt2Config& c)
      : wte(register_module("wte", torch::nn::Embedding(c.vocabulary(), c.width()))),
        wpe(register_module("wpe", torch::nn::Embedding(c.context(), c.width()))) {
    torch::nn::ModuleList list;
    for (int64_t i = 0; i < c.layers(); ++i) {
      h.push_back(std::make_shared<Block>(c));
      list->push_back(h.back());
    }
    register_module("h", list);
    ln_f = register_module("ln_f", std::make_shared<Norm>(c.width(), c.bias()));
  }

  torch::Tensor forward(const torch::Tensor& tokens, Drop* drop) {
    const int64_t length = tokens.size(1);
    torch::Tensor x = (*drop)(wte(tokens) + wpe->weight.slice(0, 0, length));
    const torch::Tensor mask =
        torch::full({1, length, length}, -std::numeric_limits<double>::infinity(), x.options())
            .triu(1);
    for (const auto& block : h) x = block->forward(x, mask, drop);
    return ln_f->forward(x);
  }

  torch::nn::Embedding wte, wpe;
  std::vector<std::shared_ptr<Block>> h;
  std::shared_ptr<Norm> ln_f;
};

class Gpt2 final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const Gpt2Config& given,
                                                       const Model::Context& context) {
    ASSIGN_OR_RETURN(const LanguageSpec data,
                     LanguageOf("gpt2", *context.data, given.vocabulary()));
    Gpt2Config config = given;
    config.set_vocabulary(data.vocabulary);
    if (config.context() == 0) config.set_context(data.context);
    if (config.context() < data.context) {
      return absl::InvalidArgumentError(
          absl::StrCat("model \"gpt2\": context is ", config.context(),
                       ", but the data set's examples have ", data.context, " tokens"));
    }
    if (config.width() % config.heads() != 0) {
      return absl::InvalidArgumentError(absl::StrCat("model \"gpt2\": width is ", config.width(),
                                                     ", no multiple of the ", config.heads(),
                                                     " heads"));
    }
    return MakeTorchModel("gpt2", context, [&] {
      const auto gpt2 = std::make_shared<Gpt2>(config);
      return TorchNet{
          gpt2,
          [net = gpt2.get()](const std::vector<torch::Tensor>& fields, uint64_t stream) {
            return CrossEntropy(net->forward(fields[0], stream), fields[1].flatten());
          },
          [layers = config.layers()](const TensorInfo& tensor) {
            return StartingValue(tensor, layers);
          },
          /*takes_any_length=*/true};
    });
  }

  explicit Gpt2(const Gpt2Config& config)
      : dropout_(config.dropout()),
        transformer_(register_module("transformer", std::make_shared<Transformer>(config))) {}

  // Logits, [examples * tokens, vocabulary].
  torch::Tensor forward(const torch::Tensor& tokens, uint64_t stream) {
    Drop drop(dropout_, stream, is_training());
    const torch::Tensor x = transformer_->forward(tokens, &drop);
    return torch::linear(x.flatten(0, 1), transformer_->wte->weight);
  }

 private:
  // GPT-2's: N(0, 0.02^2), the last matrix of each part of a block smaller by the root of the
  // number of parts; biases 0. Norms: the default.
  static std::optional<StartingDistribution> StartingValue(const TensorInfo& tensor,
                                                           int64_t layers) {
    if (absl::StrContains(tensor.name, "ln_")) return std::nullopt;
    StartingDistribution distribution;
    if (tensor.shape.size() >= 2) {
      distribution.deviation = 0.02;
      if (absl::EndsWith(tensor.name, "c_proj.weight")) {
        distribution.deviation /= std::sqrt(2.0 * static_cast<double>(layers));
      }
    }
    return distribution;
  }

  const double dropout_;
  const std::shared_ptr<Transformer> transformer_;
};

STARLING_REGISTER_PLUGIN(Model, Gpt2, Gpt2Config,
                         PluginFacts{"gpt2",
                                     "GPT-2: a Transformer decoder that predicts the next token",
                                     "Radford et al. 2019",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
