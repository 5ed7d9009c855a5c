#include "models/transformer/layers.h"

#include <cmath>
#include <memory>

#include "models/torch/dropout.h"

namespace starling {
namespace {

// Weighs a place as nothing, but is finite: where everything is hidden nothing becomes NaN.
constexpr double kHiddenScore = -1e30;

torch::nn::LayerNorm Norm(int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}));
}

}  // namespace

torch::Tensor PassDropout::operator()(const torch::Tensor& x) {
  return Dropout(x, p_, stream_, place_++, training_);
}

Attention::Attention(int64_t width, int64_t heads)
    : width_(width),
      heads_(heads),
      in_proj_weight_(register_parameter("in_proj_weight", torch::empty({3 * width, width}))),
      in_proj_bias_(register_parameter("in_proj_bias", torch::empty({3 * width}))),
      out_proj_(register_module("out_proj", torch::nn::Linear(width, width))) {}

torch::Tensor Attention::Heads(const torch::Tensor& x) {
  return x.view({x.size(0), x.size(1), heads_, width_ / heads_}).transpose(1, 2);
}

torch::Tensor Attention::Attend(const torch::Tensor& queries, const KeysValues& memory,
                                const torch::Tensor& hidden) {
  const double scale = 1 / std::sqrt(static_cast<double>(width_ / heads_));
  torch::Tensor scores = torch::matmul(queries * scale, memory.keys.transpose(2, 3));
  if (hidden.defined()) scores.masked_fill_(hidden, kHiddenScore);
  const torch::Tensor heads = torch::matmul(torch::softmax(scores, 3), memory.values);
  return out_proj_(heads.transpose(1, 2).flatten(2));
}

torch::Tensor Attention::ToItself(const torch::Tensor& x, const torch::Tensor& hidden) {
  const auto parts = torch::linear(x, in_proj_weight_, in_proj_bias_).chunk(3, 2);
  return Attend(Heads(parts[0]), {Heads(parts[1]), Heads(parts[2])}, hidden);
}

torch::Tensor Attention::ToMemory(const torch::Tensor& x, const KeysValues& memory,
                                  const torch::Tensor& hidden) {
  const torch::Tensor queries =
      torch::linear(x, in_proj_weight_.narrow(0, 0, width_), in_proj_bias_.narrow(0, 0, width_));
  return Attend(Heads(queries), memory, hidden);
}

KeysValues Attention::Remember(const torch::Tensor& memory) {
  const auto parts = torch::linear(memory, in_proj_weight_.narrow(0, width_, 2 * width_),
                                   in_proj_bias_.narrow(0, width_, 2 * width_))
                         .chunk(2, 2);
  return {Heads(parts[0]), Heads(parts[1])};
}

torch::Tensor Attention::ToPast(const torch::Tensor& x, KeysValues* past) {
  const auto parts = torch::linear(x, in_proj_weight_, in_proj_bias_).chunk(3, 2);
  const torch::Tensor keys = Heads(parts[1]), values = Heads(parts[2]);
  past->keys = past->keys.defined() ? torch::cat({past->keys, keys}, 2) : keys;
  past->values = past->values.defined() ? torch::cat({past->values, values}, 2) : values;
  return Attend(Heads(parts[0]), *past, /*hidden=*/{});
}

EncoderLayer::EncoderLayer(int64_t width, int64_t heads, int64_t ff)
    : self_attn_(register_module("self_attn", std::make_shared<Attention>(width, heads))),
      linear1_(register_module("linear1", torch::nn::Linear(width, ff))),
      linear2_(register_module("linear2", torch::nn::Linear(ff, width))),
      norm1_(register_module("norm1", Norm(width))),
      norm2_(register_module("norm2", Norm(width))) {}

torch::Tensor EncoderLayer::forward(torch::Tensor x, const torch::Tensor& hidden,
                                    PassDropout* dropout) {
  x = norm1_(x + (*dropout)(self_attn_->ToItself(x, hidden)));
  return norm2_(x + (*dropout)(linear2_(torch::relu(linear1_(x)))));
}

DecoderLayer::DecoderLayer(int64_t width, int64_t heads, int64_t ff)
    : self_attn_(register_module("self_attn", std::make_shared<Attention>(width, heads))),
      multihead_attn_(register_module("multihead_attn", std::make_shared<Attention>(width, heads))),
      linear1_(register_module("linear1", torch::nn::Linear(width, ff))),
      linear2_(register_module("linear2", torch::nn::Linear(ff, width))),
      norm1_(register_module("norm1", Norm(width))),
      norm2_(register_module("norm2", Norm(width))),
      norm3_(register_module("norm3", Norm(width))) {}

torch::Tensor DecoderLayer::forward(torch::Tensor x, const torch::Tensor& memory,
                                    const torch::Tensor& later, const torch::Tensor& padding,
                                    PassDropout* dropout) {
  x = norm1_(x + (*dropout)(self_attn_->ToItself(x, later)));
  const KeysValues remembered = multihead_attn_->Remember(memory);
  x = norm2_(x + (*dropout)(multihead_attn_->ToMemory(x, remembered, padding)));
  return norm3_(x + (*dropout)(linear2_(torch::relu(linear1_(x)))));
}

torch::Tensor DecoderLayer::Next(torch::Tensor x, const torch::Tensor& padding, State* state) {
  x = norm1_(x + self_attn_->ToPast(x, &state->past));
  x = norm2_(x + multihead_attn_->ToMemory(x, state->memory, padding));
  return norm3_(x + linear2_(torch::relu(linear1_(x))));
}

}  // namespace starling
