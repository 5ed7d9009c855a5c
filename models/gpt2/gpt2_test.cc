#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "core/status.h"
#include "data/dataset.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

std::vector<ModelCase> Cases() {
  return {
      {"WithBias", "gpt2", "layers: 2 heads: 2 width: 8", TextSpec(4, 9)},
      {"WithoutBias", "gpt2", "layers: 1 heads: 1 width: 6 bias: false vocabulary: 12",
       TextSpec(5, 9)},
  };
}

INSTANTIATE_TEST_SUITE_P(Gpt2, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

absl::StatusOr<std::unique_ptr<Model>> TryMake(const std::string& config, const DataSpec& data,
                                               DType dtype = DType::kF32) {
  Model::Context context;
  context.data = &data;
  context.dtype = dtype;
  return CreateModel("gpt2", config, context);
}

std::unique_ptr<Model> Make(const std::string& config, const DataSpec& data,
                            DType dtype = DType::kF32) {
  return TryMake(config, data, dtype).value();
}

// Layers of one block, one by one: {inputs, outputs} of its linear layers and its two norms.
int64_t Parameters(int64_t layers, int64_t width, int64_t context, int64_t vocabulary, bool bias) {
  int64_t block = 0;
  const std::vector<std::pair<int64_t, int64_t>> linear = {
      {width, 3 * width}, {width, width}, {width, 4 * width}, {4 * width, width}};
  for (const auto& [in, out] : linear) block += in * out + (bias ? out : 0);
  const int64_t norm = bias ? 2 * width : width;
  return (vocabulary + context) * width + layers * (block + 2 * norm) + norm;
}

// The small model as it was published (OpenAI's 124 M), and as the paper trains it.
TEST(Gpt2Test, NumberOfParameters) {
  EXPECT_EQ(Parameters(12, 768, 1024, 50257, true), 124439808);
  EXPECT_EQ(Make("", TextSpec(1024, 50257))->layout().parameters(), 124439808);
  EXPECT_EQ(Parameters(12, 768, 1024, 50304, false), 124373760);
  EXPECT_EQ(Make("vocabulary: 50304 bias: false", TextSpec(1024, 50257))->layout().parameters(),
            124373760);
  EXPECT_EQ(
      Make("layers: 3 heads: 2 width: 10 context: 11", TextSpec(7, 13))->layout().parameters(),
      Parameters(3, 10, 11, 13, true));
}

TEST(Gpt2Test, NamesAndShapesAreNanoGpts) {
  const auto model = Make("layers: 1 heads: 2 width: 4", TextSpec(5, 7));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const TensorInfo& tensor : model->layout().tensors) {
    shapes[tensor.name] = tensor.shape;
    EXPECT_EQ(tensor.decay, tensor.shape.size() >= 2) << tensor.name;
  }
  EXPECT_EQ(shapes, (std::map<std::string, std::vector<int64_t>>{
                        {"transformer.wte.weight", {7, 4}},
                        {"transformer.wpe.weight", {5, 4}},
                        {"transformer.h.0.ln_1.weight", {4}},
                        {"transformer.h.0.ln_1.bias", {4}},
                        {"transformer.h.0.attn.c_attn.weight", {12, 4}},
                        {"transformer.h.0.attn.c_attn.bias", {12}},
                        {"transformer.h.0.attn.c_proj.weight", {4, 4}},
                        {"transformer.h.0.attn.c_proj.bias", {4}},
                        {"transformer.h.0.ln_2.weight", {4}},
                        {"transformer.h.0.ln_2.bias", {4}},
                        {"transformer.h.0.mlp.c_fc.weight", {16, 4}},
                        {"transformer.h.0.mlp.c_fc.bias", {16}},
                        {"transformer.h.0.mlp.c_proj.weight", {4, 16}},
                        {"transformer.h.0.mlp.c_proj.bias", {4}},
                        {"transformer.ln_f.weight", {4}},
                        {"transformer.ln_f.bias", {4}},
                    }));
}

TEST(Gpt2Test, StartsAsGpt2Does) {
  const auto model = Make("layers: 8 heads: 1 width: 64", TextSpec(64, 64));
  const Arenas arenas(model->layout(), DType::kF32);
  CHECK_OK(model->Initialize(1, arenas.x()));
  for (const TensorInfo& tensor : model->layout().tensors) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < tensor.count; ++i) {
      const double value = GetElement(arenas.x(), tensor.offset + i);
      mean += value / tensor.count;
      square += value * value / tensor.count;
    }
    if (tensor.shape.size() == 1) {
      const bool weight = tensor.name.find(".weight") != std::string::npos;
      EXPECT_EQ(square, weight ? 1 : 0) << tensor.name;
      continue;
    }
    const bool residual = tensor.name.find("c_proj") != std::string::npos;
    const double deviation = residual ? 0.02 / 4 : 0.02;  // 2 x 8 parts
    // Five standard deviations of both estimates.
    EXPECT_NEAR(mean, 0, 5 * deviation / std::sqrt(tensor.count)) << tensor.name;
    EXPECT_NEAR(square / (deviation * deviation), 1, 5 * std::sqrt(2.0 / tensor.count))
        << tensor.name;
  }
}

// The whole model, one token after the other, in loops over doubles.
class Reference {
 public:
  Reference(const Layout& layout, Buffer x, int width, int heads) : width_(width), heads_(heads) {
    for (const TensorInfo& tensor : layout.tensors) {
      tensors_[tensor.name] = x.Slice(tensor.offset, tensor.count).as<double>();
    }
  }

  // The losses of the tokens of one example, added up.
  double Loss(absl::Span<const int64_t> tokens, absl::Span<const int64_t> targets, int layers,
              int vocabulary) const {
    std::vector<std::vector<double>> x(tokens.size());
    for (size_t t = 0; t < tokens.size(); ++t) {
      for (int k = 0; k < width_; ++k) {
        x[t].push_back(T("wte.weight")[tokens[t] * width_ + k] + T("wpe.weight")[t * width_ + k]);
      }
    }
    for (int layer = 0; layer < layers; ++layer) AddBlock(absl::StrCat("h.", layer, "."), &x);
    double loss = 0;
    for (size_t t = 0; t < tokens.size(); ++t) {
      const std::vector<double> y = Norm("ln_f", x[t]);
      std::vector<double> logits(vocabulary, 0);
      double total = 0;
      for (int token = 0; token < vocabulary; ++token) {
        for (int k = 0; k < width_; ++k)
          logits[token] += T("wte.weight")[token * width_ + k] * y[k];
        total += std::exp(logits[token]);
      }
      loss += std::log(total) - logits[targets[t]];
    }
    return loss;
  }

 private:
  absl::Span<const double> T(const std::string& name) const {
    return tensors_.at("transformer." + name);
  }

  std::vector<double> Norm(const std::string& name, const std::vector<double>& x) const {
    double mean = 0, variance = 0;
    for (double value : x) mean += value / x.size();
    for (double value : x) variance += (value - mean) * (value - mean) / x.size();
    std::vector<double> y;
    for (size_t k = 0; k < x.size(); ++k) {
      y.push_back((x[k] - mean) / std::sqrt(variance + 1e-5) * T(name + ".weight")[k] +
                  T(name + ".bias")[k]);
    }
    return y;
  }

  std::vector<double> Linear(const std::string& name, const std::vector<double>& x) const {
    const auto bias = T(name + ".bias");
    std::vector<double> y(bias.begin(), bias.end());
    for (size_t row = 0; row < y.size(); ++row) {
      for (size_t k = 0; k < x.size(); ++k)
        y[row] += T(name + ".weight")[row * x.size() + k] * x[k];
    }
    return y;
  }

  void AddBlock(const std::string& name, std::vector<std::vector<double>>* x) const {
    std::vector<std::vector<double>> qkv;
    for (const auto& token : *x) {
      qkv.push_back(Linear(name + "attn.c_attn", Norm(name + "ln_1", token)));
    }
    const int units = width_ / heads_;
    for (size_t t = 0; t < x->size(); ++t) {
      std::vector<double> mixed(width_, 0);
      for (int head = 0; head < heads_; ++head) {
        std::vector<double> weights;
        double total = 0;
        for (size_t s = 0; s <= t; ++s) {  // what comes later is not seen
          double score = 0;
          for (int k = head * units; k < (head + 1) * units; ++k) {
            score += qkv[t][k] * qkv[s][width_ + k];
          }
          weights.push_back(std::exp(score / std::sqrt(units)));
          total += weights.back();
        }
        for (size_t s = 0; s <= t; ++s) {
          for (int k = head * units; k < (head + 1) * units; ++k) {
            mixed[k] += weights[s] / total * qkv[s][2 * width_ + k];
          }
        }
      }
      Add(Linear(name + "attn.c_proj", mixed), &(*x)[t]);
    }
    for (auto& token : *x) {
      std::vector<double> hidden = Linear(name + "mlp.c_fc", Norm(name + "ln_2", token));
      for (double& h : hidden) {
        h = 0.5 * h * (1 + std::tanh(std::sqrt(2 / M_PI) * (h + 0.044715 * h * h * h)));
      }
      Add(Linear(name + "mlp.c_proj", hidden), &token);
    }
  }

  static void Add(const std::vector<double>& y, std::vector<double>* x) {
    for (size_t k = 0; k < y.size(); ++k) (*x)[k] += y[k];
  }

  const int width_, heads_;
  std::map<std::string, absl::Span<const double>> tensors_;
};

TEST(Gpt2Test, LossIsTheDefinitions) {
  constexpr int kTokens = 6, kVocabulary = 11, kExamples = 3;
  const DataSpec data = TextSpec(kTokens, kVocabulary);
  const auto model = Make("layers: 2 heads: 3 width: 12", data, DType::kF64);
  const Arenas arenas(model->layout(), DType::kF64);
  // Nothing at its start, so that every tensor matters.
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  for (const TensorInfo& tensor : model->layout().tensors) {
    for (int64_t i = 0; i < tensor.count; ++i) {
      SetElement(arenas.x(), tensor.offset + i, 0.5 * random.Normal());
    }
  }
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const Batch batch = MadeUpBatch(data, kExamples, 1);
  const Reference reference(model->layout(), arenas.x(), /*width=*/12, /*heads=*/3);
  double loss = 0;
  for (int example = 0; example < kExamples; ++example) {
    const auto part = [&](int field) -> absl::Span<const int64_t> {
      return batch.fields[field].buffer().as<int64_t>().subspan(example * kTokens, kTokens);
    };
    loss += reference.Loss(part(0), part(1), /*layers=*/2, kVocabulary);
  }
  EXPECT_NEAR(Pass(model.get(), batch), loss / (kExamples * kTokens), 1e-12);
}

TEST(Gpt2Test, DropoutFollowsTheStreamAndLeavesEvaluationAlone) {
  const DataSpec data = TextSpec(8, 20);
  const Batch batch = MadeUpBatch(data, 4, 1);
  const std::string config = "layers: 2 heads: 2 width: 16 ";
  const auto with = Make(config + "dropout: 0.5", data), without = Make(config, data);
  const Arenas arenas(with->layout(), DType::kF32);
  CHECK_OK(with->Initialize(1, arenas.x()));
  MetricSums sums[2];
  for (Model* model : {with.get(), without.get()}) {
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    CHECK_OK(model->Evaluate(batch, &sums[model == with.get()]));
  }
  EXPECT_EQ(sums[0].loss, sums[1].loss);
  EXPECT_EQ(sums[0].targets, 32);
  EXPECT_EQ(Pass(with.get(), batch, 5), Pass(with.get(), batch, 5));
  EXPECT_NE(Pass(with.get(), batch, 5), Pass(with.get(), batch, 6));
}

TEST(Gpt2Test, SaysWhatDoesNotFit) {
  const DataSpec data = TextSpec(8, 20);
  EXPECT_EQ(TryMake("heads: 5 width: 16", data).status(),
            absl::InvalidArgumentError("model \"gpt2\": width is 16, no multiple of the 5 heads"));
  EXPECT_EQ(TryMake("context: 7", data).status(),
            absl::InvalidArgumentError(
                "model \"gpt2\": context is 7, but the data set's examples have 8 tokens"));
}

}  // namespace
}  // namespace starling
