// The encoder-decoder Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017):
// layers normalised after their sums, sinusoidal positions, one matrix for source embeddings,
// target embeddings and the output. Shapes, sizes and starting values: README.md.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/registry.h"
#include "core/status.h"
#include "data/translations.h"
#include "models/beam_search.h"
#include "models/model.h"
#include "models/torch/torch_model.h"
#include "models/transformer/layers.h"
#include "models/transformer/transformer.pb.h"
#include "torch/nn/modules/container/modulelist.h"
#include "torch/nn/modules/embedding.h"

namespace starling {
namespace {

// A translation may be so many tokens longer than its source (section 6.1 of the paper).
constexpr int64_t kLongerThanSource = 50;

// The inputs of the net, in the order of the batch's fields.
enum Field { kSource, kTargetIn, kTargetOut, kFields };
constexpr const char* kFieldNames[kFields] = {"source", "target_in", "target_out"};

absl::Status CheckData(const DataSpec& data) {
  bool fits = data.fields.size() == kFields && data.vocabulary > kEnd;
  for (size_t i = 0; fits && i < kFields; ++i) {
    fits = data.fields[i].name == kFieldNames[i] && data.fields[i].type == DType::kI64;
  }
  if (fits) return absl::OkStatus();
  const std::string given = absl::StrJoin(
      data.fields, ", ", [](std::string* out, const FieldSpec& field) { *out += field.name; });
  return absl::InvalidArgumentError(absl::StrCat(
      "model \"transformer\" needs sentence pairs, with the fields source, target_in and ",
      "target_out and a vocabulary of at least 5 tokens; data set gives the fields ",
      given.empty() ? "(none)" : given, " and a vocabulary of ", data.vocabulary));
}

// Row p, columns 2i and 2i + 1: sine and cosine of p / 10000^(2i / width).
torch::Tensor Positions(int64_t places, int64_t width) {
  const torch::Tensor place = torch::arange(places, torch::kFloat64).unsqueeze(1);
  const torch::Tensor exponent =
      torch::arange(0, width, 2, torch::kFloat64) / static_cast<double>(width);
  const torch::Tensor angle = place / torch::pow(10000.0, exponent);
  return torch::stack({angle.sin(), angle.cos()}, 2).flatten(1);
}

// layers.0, layers.1, ... and norm.
template <typename Layer>
struct Stack final : torch::nn::Module {
  Stack(int64_t count, const TransformerConfig& config)
      : norm(register_module(
            "norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({config.d_model()})))) {
    const auto list = register_module("layers", torch::nn::ModuleList());
    for (int64_t i = 0; i < count; ++i) {
      layers.push_back(std::make_shared<Layer>(config.d_model(), config.heads(), config.ff()));
      list->push_back(layers.back());
    }
  }
  std::vector<std::shared_ptr<Layer>> layers;
  torch::nn::LayerNorm norm;
};

class Transformer final : public torch::nn::Module {
 public:
  static absl::StatusOr<std::unique_ptr<Model>> Create(const TransformerConfig& config,
                                                       const Model::Context& context);

  Transformer(const TransformerConfig& config, int64_t vocabulary)
      : config_(config),
        embedding_(
            register_module("embedding", torch::nn::Embedding(vocabulary, config.d_model()))),
        encoder_(register_module(
            "encoder", std::make_shared<Stack<EncoderLayer>>(config.encoder_layers(), config))),
        decoder_(register_module(
            "decoder", std::make_shared<Stack<DecoderLayer>>(config.decoder_layers(), config))),
        positions_(Positions(config.max_length(), config.d_model())) {}

  TorchOutput Losses(const std::vector<torch::Tensor>& fields, uint64_t stream);
  std::vector<std::vector<int64_t>> Translate(const torch::Tensor& source);

 private:
  // Embeddings times sqrt(width), plus positions from `first` on.
  torch::Tensor Embed(const torch::Tensor& tokens, int64_t first);
  torch::Tensor Encode(const torch::Tensor& source, const torch::Tensor& padding,
                       PassDropout* dropout);
  // [rows, width] to [rows, vocabulary].
  torch::Tensor LogProbabilities(const torch::Tensor& x) {
    return torch::log_softmax(InFullPrecision(torch::linear(x, embedding_->weight)), 1);
  }

  // True where `tokens` are padding, for all heads and queries.
  static torch::Tensor PaddingOf(const torch::Tensor& tokens) {
    return tokens.eq(kPadding).unsqueeze(1).unsqueeze(2);
  }

  const TransformerConfig config_;
  torch::nn::Embedding embedding_;
  std::shared_ptr<Stack<EncoderLayer>> encoder_;
  std::shared_ptr<Stack<DecoderLayer>> decoder_;
  torch::Tensor positions_;  // float64, where the last pass was
};

torch::Tensor Transformer::Embed(const torch::Tensor& tokens, int64_t first) {
  const int64_t places = tokens.size(1);
  TORCH_CHECK(first + places <= config_.max_length(), "a sequence of ", first + places,
              " tokens is longer than max_length ", config_.max_length());
  const torch::Tensor x = embedding_(tokens) * std::sqrt(static_cast<double>(config_.d_model()));
  if (positions_.device() != x.device()) positions_ = positions_.to(x.device());
  return x + positions_.narrow(0, first, places).to(x.scalar_type());
}

torch::Tensor Transformer::Encode(const torch::Tensor& source, const torch::Tensor& padding,
                                  PassDropout* dropout) {
  torch::Tensor x = (*dropout)(Embed(source, 0));
  for (const auto& layer : encoder_->layers) x = layer->forward(x, padding, dropout);
  return encoder_->norm(x);
}

TorchOutput Transformer::Losses(const std::vector<torch::Tensor>& fields, uint64_t stream) {
  // Only what has a target is worth the output layer's time. How much that is the host must know;
  // it asks first, when a device has little else to do before it answers.
  const torch::Tensor targets = fields[kTargetOut].flatten();
  const torch::Tensor places_with_target = targets.ne(kPadding).nonzero().squeeze(1);
  const torch::Tensor labels = targets.index_select(0, places_with_target);

  PassDropout dropout(config_.dropout(), stream, is_training());
  const torch::Tensor padding = PaddingOf(fields[kSource]);
  const torch::Tensor memory = Encode(fields[kSource], padding, &dropout);

  // Padding stands at the end of a sequence, so hiding what comes later hides it too.
  const int64_t places = fields[kTargetIn].size(1);
  const torch::Tensor later =
      torch::ones({1, 1, places, places}, padding.options()).triu(1);  // bool
  torch::Tensor x = dropout(Embed(fields[kTargetIn], 0));
  for (const auto& layer : decoder_->layers) {
    x = layer->forward(x, memory, later, padding, &dropout);
  }
  x = decoder_->norm(x);

  const torch::Tensor log_p = LogProbabilities(x.flatten(0, 1).index_select(0, places_with_target));
  TorchOutput output;
  output.losses = torch::nll_loss(log_p, labels, /*weight=*/{}, at::Reduction::None);
  if (is_training() && config_.label_smoothing() > 0) {
    const double shared = config_.label_smoothing();
    output.losses = (1 - shared) * output.losses - shared * log_p.mean(1);
  }
  if (!torch::GradMode::is_enabled()) output.correct = log_p.argmax(1).eq(labels);
  return output;
}

std::vector<std::vector<int64_t>> Transformer::Translate(const torch::Tensor& source) {
  PassDropout no_dropout(0, 0, /*training=*/false);
  torch::Tensor padding = PaddingOf(source);
  std::vector<DecoderLayer::State> states;
  {
    const torch::Tensor memory = Encode(source, padding, &no_dropout);
    for (const auto& layer : decoder_->layers) states.push_back(layer->Begin(memory));
  }
  std::vector<int64_t> limits;
  const torch::Tensor lengths = source.ne(kPadding).sum(1).cpu();
  for (int64_t i = 0; i < source.size(0); ++i) {
    limits.push_back(
        std::min(lengths[i].item<int64_t>() + kLongerThanSource, config_.max_length()));
  }

  int64_t place = 0;
  torch::Tensor log_p;
  const auto next = [&](absl::Span<const int64_t> parents, absl::Span<const int64_t> tokens) {
    const auto rows = static_cast<int64_t>(parents.size());
    const auto where_source_is = [&](absl::Span<const int64_t> values, torch::IntArrayRef shape) {
      return torch::from_blob(const_cast<int64_t*>(values.data()), shape, torch::kInt64)
          .to(source.device());
    };
    const torch::Tensor from = where_source_is(parents, {rows});
    const torch::Tensor newest = where_source_is(tokens, {rows, 1});
    padding = padding.index_select(0, from);
    for (DecoderLayer::State& state : states) {
      for (torch::Tensor* tensor :
           {&state.past.keys, &state.past.values, &state.memory.keys, &state.memory.values}) {
        if (tensor->defined()) *tensor = tensor->index_select(0, from);
      }
    }
    torch::Tensor x = Embed(newest, place++);
    for (size_t i = 0; i < states.size(); ++i) {
      x = decoder_->layers[i]->Next(x, padding, &states[i]);
    }
    log_p = LogProbabilities(decoder_->norm(x).squeeze(1)).to(torch::kCPU, torch::kFloat32);
    for (int64_t never : {kPadding, kBegin}) {
      log_p.select(1, never).fill_(-std::numeric_limits<double>::infinity());
    }
    return absl::MakeConstSpan(log_p.data_ptr<float>(), static_cast<size_t>(log_p.numel()));
  };
  return BeamSearch({config_.beam(), config_.length_penalty(), kBegin, kEnd}, limits, next);
}

// Xavier (Glorot) uniform for matrices, as torch.nn.Transformer has it; N(0, 1 / width) for the
// embedding, which makes embeddings of size 1 and logits of size 1; biases 0, norms 1 and 0.
std::optional<StartingDistribution> StartOf(const TensorInfo& tensor) {
  StartingDistribution start;
  const bool matrix = tensor.shape.size() == 2;
  if (tensor.name == "embedding.weight") {
    start.deviation = 1 / std::sqrt(static_cast<double>(tensor.shape[1]));
  } else if (matrix) {
    start.bound = std::sqrt(6.0 / static_cast<double>(tensor.shape[0] + tensor.shape[1]));
  } else if (tensor.name.find("norm") != std::string::npos) {
    return std::nullopt;
  }
  return start;
}

absl::StatusOr<std::unique_ptr<Model>> Transformer::Create(const TransformerConfig& config,
                                                           const Model::Context& context) {
  RETURN_IF_ERROR(CheckData(*context.data));
  if (config.d_model() % 2 != 0 || config.d_model() % config.heads() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"transformer\": d_model is ", config.d_model(), " with ",
                     config.heads(), " heads; it must be even and a multiple of heads"));
  }
  return MakeTorchModel("transformer", context, [&] {
    const auto net = std::make_shared<Transformer>(config, context.data->vocabulary);
    TorchNet built;
    built.module = net;
    built.forward = [net = net.get()](const std::vector<torch::Tensor>& fields, uint64_t stream) {
      return net->Losses(fields, stream);
    };
    built.translate = [net = net.get()](const std::vector<torch::Tensor>& fields) {
      return net->Translate(fields[kSource]);
    };
    built.starting = StartOf;
    return built;
  });
}

STARLING_REGISTER_PLUGIN(Model, Transformer, TransformerConfig,
                         PluginFacts{"transformer",
                                     "encoder-decoder for translation, with beam search",
                                     "Vaswani et al., NeurIPS 2017",
                                     /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
