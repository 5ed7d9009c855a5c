// The layers of a Transformer, with PyTorch's names (torch.nn.Transformer).
#ifndef MODELS_TRANSFORMER_LAYERS_H_
#define MODELS_TRANSFORMER_LAYERS_H_

#include <cstdint>
#include <memory>

#include "torch/nn/module.h"
#include "torch/nn/modules/linear.h"
#include "torch/nn/modules/normalization.h"
#include "torch/types.h"

namespace starling {

// The dropout of one pass; every call has a mask of its own.
class PassDropout {
 public:
  PassDropout(double p, uint64_t stream, bool training)
      : p_(p), stream_(stream), training_(training) {}
  torch::Tensor operator()(const torch::Tensor& x);

 private:
  double p_;
  uint64_t stream_;
  bool training_;
  int place_ = 0;
};

// What attention looks at, [batch, heads, places, width / heads] each.
struct KeysValues {
  torch::Tensor keys, values;
};

// Multi-head attention (Vaswani et al. 2017, section 3.2), for queries q and a memory, both
// [batch, places, width]; with h heads of d = width / h:
//
//   head_i = softmax( (q Wq_i) (memory Wk_i)^T / sqrt(d), hidden places left out ) memory Wv_i
//   out    = [head_1 ... head_h] Wo + bo           (each W with a bias)
//
// in_proj_weight holds Wq, Wk and Wv one below the other, transposed, as in PyTorch.
class Attention final : public torch::nn::Module {
 public:
  Attention(int64_t width, int64_t heads);

  // `hidden` is true where a query (axis 2) must not look at a place of the memory (axis 3); its
  // shape is [batch or 1, 1, queries or 1, places]. Undefined: nothing is hidden.
  torch::Tensor ToItself(const torch::Tensor& x, const torch::Tensor& hidden);
  torch::Tensor ToMemory(const torch::Tensor& x, const KeysValues& memory,
                         const torch::Tensor& hidden);
  KeysValues Remember(const torch::Tensor& memory);

  // Attention of the newest place to all up to it: adds x, [batch, 1, width], to `past` (undefined
  // at first).
  torch::Tensor ToPast(const torch::Tensor& x, KeysValues* past);

 private:
  torch::Tensor Heads(const torch::Tensor& x);  // [batch, places, width] to [batch, heads, ...]
  torch::Tensor Attend(const torch::Tensor& queries, const KeysValues& memory,
                       const torch::Tensor& hidden);

  int64_t width_, heads_;
  torch::Tensor in_proj_weight_, in_proj_bias_;
  torch::nn::Linear out_proj_;
};

// x <- norm1(x + attention(x)), x <- norm2(x + feed_forward(x)), dropout before each sum.
class EncoderLayer final : public torch::nn::Module {
 public:
  EncoderLayer(int64_t width, int64_t heads, int64_t ff);
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& hidden, PassDropout* dropout);

 private:
  std::shared_ptr<Attention> self_attn_;
  torch::nn::Linear linear1_, linear2_;
  torch::nn::LayerNorm norm1_, norm2_;
};

// As the encoder's, with attention to the encoder's output in between.
class DecoderLayer final : public torch::nn::Module {
 public:
  DecoderLayer(int64_t width, int64_t heads, int64_t ff);

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& memory, const torch::Tensor& later,
                        const torch::Tensor& padding, PassDropout* dropout);

  // One place after the other, without dropout: what a row has seen so far.
  struct State {
    KeysValues past, memory;
  };
  State Begin(const torch::Tensor& memory) { return {{}, multihead_attn_->Remember(memory)}; }
  torch::Tensor Next(torch::Tensor x, const torch::Tensor& padding, State* state);

 private:
  std::shared_ptr<Attention> self_attn_, multihead_attn_;
  torch::nn::Linear linear1_, linear2_;
  torch::nn::LayerNorm norm1_, norm2_, norm3_;
};

}  // namespace starling

#endif  // MODELS_TRANSFORMER_LAYERS_H_
