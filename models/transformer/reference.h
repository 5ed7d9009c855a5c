// The Transformer in plain loops over doubles, one sentence pair at a time: no padding, no batch,
// no masks (a place looks at the places up to its own because the loop ends there). For tests.
#ifndef MODELS_TRANSFORMER_REFERENCE_H_
#define MODELS_TRANSFORMER_REFERENCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/layout.h"

namespace starling {

class TransformerReference {
 public:
  using Rows = std::vector<std::vector<double>>;

  // Reads the parameters in `x` (F64), which has `layout`. Neither is owned.
  TransformerReference(const Layout* layout, Buffer x, int64_t heads, int encoder_layers,
                       int decoder_layers)
      : layout_(layout),
        x_(x),
        heads_(heads),
        encoder_layers_(encoder_layers),
        decoder_layers_(decoder_layers) {}

  // Row i: log probabilities of the token after target_in[0..i].
  Rows LogProbabilities(const std::vector<int64_t>& source,
                        const std::vector<int64_t>& target_in) const;

 private:
  // y_o = sum_i weight[first + o][i] x_i + bias[first + o], o < count.
  std::vector<double> Linear(const std::string& weight, const std::string& bias, int64_t first,
                             int64_t count, const std::vector<double>& x) const;
  Rows Embed(const std::vector<int64_t>& tokens) const;
  Rows Attend(const std::string& name, const Rows& queries, const Rows& memory, bool causal) const;
  Rows FeedForward(const std::string& layer, const Rows& x) const;
  Rows AddAndNorm(const std::string& norm, const Rows& x, const Rows& y) const;

  const TensorInfo& Tensor(const std::string& name) const;
  double At(const TensorInfo& tensor, int64_t i) const {
    return x_.as<double>()[tensor.offset + i];
  }

  const Layout* layout_;
  Buffer x_;
  int64_t heads_;
  int encoder_layers_, decoder_layers_;
};

}  // namespace starling

#endif  // MODELS_TRANSFORMER_REFERENCE_H_
