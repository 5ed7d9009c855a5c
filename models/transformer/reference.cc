#include "models/transformer/reference.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {

using Rows = TransformerReference::Rows;

const TensorInfo& TransformerReference::Tensor(const std::string& name) const {
  for (const TensorInfo& tensor : layout_->tensors) {
    if (tensor.name == name) return tensor;
  }
  LOG(FATAL) << "no tensor " << name;
}

std::vector<double> TransformerReference::Linear(const std::string& weight, const std::string& bias,
                                                 int64_t first, int64_t count,
                                                 const std::vector<double>& x) const {
  const TensorInfo& w = Tensor(weight);
  const auto inputs = static_cast<int64_t>(x.size());
  CHECK_EQ(w.shape[1], inputs);
  std::vector<double> y(count, 0.0);
  for (int64_t o = 0; o < count; ++o) {
    if (!bias.empty()) y[o] = At(Tensor(bias), first + o);
    for (int64_t i = 0; i < inputs; ++i) y[o] += At(w, (first + o) * inputs + i) * x[i];
  }
  return y;
}

Rows TransformerReference::Embed(const std::vector<int64_t>& tokens) const {
  const TensorInfo& table = Tensor("embedding.weight");
  const int64_t width = table.shape[1];
  Rows rows;
  for (size_t place = 0; place < tokens.size(); ++place) {
    std::vector<double> row(width);
    for (int64_t i = 0; i < width; ++i) {
      const double pairs = static_cast<double>(i / 2 * 2) / static_cast<double>(width);
      const double angle = static_cast<double>(place) / std::pow(10000.0, pairs);
      row[i] = At(table, tokens[place] * width + i) * std::sqrt(static_cast<double>(width)) +
               (i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
    rows.push_back(row);
  }
  return rows;
}

Rows TransformerReference::Attend(const std::string& name, const Rows& queries, const Rows& memory,
                                  bool causal) const {
  const std::string weight = name + ".in_proj_weight", bias = name + ".in_proj_bias";
  const auto width = static_cast<int64_t>(queries[0].size());
  const int64_t size = width / heads_;
  Rows keys, values, out;
  for (const auto& row : memory) {
    keys.push_back(Linear(weight, bias, width, width, row));
    values.push_back(Linear(weight, bias, 2 * width, width, row));
  }
  for (size_t t = 0; t < queries.size(); ++t) {
    const auto query = Linear(weight, bias, 0, width, queries[t]);
    const size_t seen = causal ? t + 1 : memory.size();
    std::vector<double> joined(width, 0.0);
    for (int64_t head = 0; head < heads_; ++head) {
      std::vector<double> weights(seen, 0.0);
      double sum = 0;
      for (size_t s = 0; s < seen; ++s) {
        double score = 0;
        for (int64_t k = head * size; k < (head + 1) * size; ++k) score += query[k] * keys[s][k];
        sum += weights[s] = std::exp(score / std::sqrt(static_cast<double>(size)));
      }
      for (size_t s = 0; s < seen; ++s) {
        for (int64_t k = head * size; k < (head + 1) * size; ++k) {
          joined[k] += weights[s] / sum * values[s][k];
        }
      }
    }
    out.push_back(Linear(name + ".out_proj.weight", name + ".out_proj.bias", 0, width, joined));
  }
  return out;
}

Rows TransformerReference::FeedForward(const std::string& layer, const Rows& x) const {
  const int64_t units = Tensor(layer + ".linear1.weight").shape[0];
  Rows out;
  for (const auto& row : x) {
    auto hidden = Linear(layer + ".linear1.weight", layer + ".linear1.bias", 0, units, row);
    for (double& value : hidden) value = std::max(value, 0.0);
    out.push_back(Linear(layer + ".linear2.weight", layer + ".linear2.bias", 0,
                         static_cast<int64_t>(row.size()), hidden));
  }
  return out;
}

// Layer normalization of x + y; of x alone if y is empty.
Rows TransformerReference::AddAndNorm(const std::string& norm, const Rows& x, const Rows& y) const {
  Rows out = x;
  for (size_t t = 0; t < out.size(); ++t) {
    const auto width = static_cast<double>(out[t].size());
    double mean = 0, variance = 0;
    for (size_t i = 0; i < out[t].size(); ++i) {
      if (!y.empty()) out[t][i] += y[t][i];
      mean += out[t][i] / width;
    }
    for (double value : out[t]) variance += (value - mean) * (value - mean) / width;
    for (size_t i = 0; i < out[t].size(); ++i) {
      out[t][i] = (out[t][i] - mean) / std::sqrt(variance + 1e-5) *
                      At(Tensor(norm + ".weight"), static_cast<int64_t>(i)) +
                  At(Tensor(norm + ".bias"), static_cast<int64_t>(i));
    }
  }
  return out;
}

Rows TransformerReference::LogProbabilities(const std::vector<int64_t>& source,
                                            const std::vector<int64_t>& target_in) const {
  Rows memory = Embed(source);
  for (int i = 0; i < encoder_layers_; ++i) {
    const std::string layer = absl::StrCat("encoder.layers.", i);
    memory =
        AddAndNorm(layer + ".norm1", memory, Attend(layer + ".self_attn", memory, memory, false));
    memory = AddAndNorm(layer + ".norm2", memory, FeedForward(layer, memory));
  }
  memory = AddAndNorm("encoder.norm", memory, {});

  Rows x = Embed(target_in);
  for (int i = 0; i < decoder_layers_; ++i) {
    const std::string layer = absl::StrCat("decoder.layers.", i);
    x = AddAndNorm(layer + ".norm1", x, Attend(layer + ".self_attn", x, x, true));
    x = AddAndNorm(layer + ".norm2", x, Attend(layer + ".multihead_attn", x, memory, false));
    x = AddAndNorm(layer + ".norm3", x, FeedForward(layer, x));
  }
  x = AddAndNorm("decoder.norm", x, {});

  Rows out;
  for (const auto& row : x) {
    auto logits = Linear("embedding.weight", "", 0, Tensor("embedding.weight").shape[0], row);
    double sum = 0;
    for (double logit : logits) sum += std::exp(logit);
    for (double& logit : logits) logit -= std::log(sum);
    out.push_back(logits);
  }
  return out;
}

}  // namespace starling
