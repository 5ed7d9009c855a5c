#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/layout.h"
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
      {"TwoLayers", "lstm", "layers: 2 embedding: 5 hidden: 6", TextSpec(4, 9)},
      {"Tied", "lstm", "layers: 1 embedding: 6 hidden: 6 tied: true", TextSpec(5, 7)},
  };
}

INSTANTIATE_TEST_SUITE_P(Lstm, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

std::unique_ptr<Model> Make(const std::string& config, const DataSpec& data,
                            DType dtype = DType::kF32) {
  Model::Context context;
  context.data = &data;
  context.dtype = dtype;
  return CreateModel("lstm", config, context).value();
}

TEST(LstmTest, NamesAndShapesArePyTorchs) {
  const auto model = Make("layers: 2 embedding: 5 hidden: 6", TextSpec(4, 9));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const TensorInfo& tensor : model->layout().tensors) shapes[tensor.name] = tensor.shape;
  EXPECT_EQ(shapes, (std::map<std::string, std::vector<int64_t>>{{"embedding.weight", {9, 5}},
                                                                 {"lstm.weight_ih_l0", {24, 5}},
                                                                 {"lstm.weight_hh_l0", {24, 6}},
                                                                 {"lstm.bias_ih_l0", {24}},
                                                                 {"lstm.bias_hh_l0", {24}},
                                                                 {"lstm.weight_ih_l1", {24, 6}},
                                                                 {"lstm.weight_hh_l1", {24, 6}},
                                                                 {"lstm.bias_ih_l1", {24}},
                                                                 {"lstm.bias_hh_l1", {24}},
                                                                 {"head.weight", {9, 6}},
                                                                 {"head.bias", {9}}}));
}

// The formula of README.md.
TEST(LstmTest, NumberOfParameters) {
  constexpr int64_t kV = 9, kE = 5, kH = 6;
  EXPECT_EQ(Make("layers: 3 embedding: 5 hidden: 6", TextSpec(4, kV))->layout().parameters(),
            kV * kE + 4 * kH * (kE + kH + 2) + 2 * 4 * kH * (2 * kH + 2) + kV * (kH + 1));
  EXPECT_EQ(
      Make("layers: 1 embedding: 6 hidden: 6 tied: true", TextSpec(4, kV))->layout().parameters(),
      kV * kH + 4 * kH * (2 * kH + 2));
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The definition, in loops: gates i, f, g, o of rows [k * hidden, (k + 1) * hidden).
TEST(LstmTest, LossIsTheDefinitions) {
  constexpr int kTokens = 4, kVocabulary = 9, kIn = 5, kHidden = 6;
  const DataSpec data = TextSpec(kTokens, kVocabulary);
  const auto model = Make("layers: 1 embedding: 5 hidden: 6", data, DType::kF64);
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Initialize(3, arenas.x()));
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  std::map<std::string, absl::Span<const double>> w;
  for (const TensorInfo& tensor : model->layout().tensors) {
    w[tensor.name] = arenas.x().Slice(tensor.offset, tensor.count).as<double>();
  }
  const Batch batch = MadeUpBatch(data, 3, 1);
  const auto tokens = batch.fields[0].buffer().as<int64_t>();
  const auto targets = batch.fields[1].buffer().as<int64_t>();

  double loss = 0;
  for (int example = 0; example < 3; ++example) {
    std::vector<double> h(kHidden, 0), c(kHidden, 0);
    for (int t = 0; t < kTokens; ++t) {
      const int at = example * kTokens + t;
      std::vector<double> gates(4 * kHidden);
      for (int row = 0; row < 4 * kHidden; ++row) {
        double sum = w["lstm.bias_ih_l0"][row] + w["lstm.bias_hh_l0"][row];
        for (int k = 0; k < kIn; ++k) {
          sum +=
              w["lstm.weight_ih_l0"][row * kIn + k] * w["embedding.weight"][tokens[at] * kIn + k];
        }
        for (int k = 0; k < kHidden; ++k) sum += w["lstm.weight_hh_l0"][row * kHidden + k] * h[k];
        gates[row] = sum;
      }
      for (int k = 0; k < kHidden; ++k) {
        c[k] = Sigmoid(gates[kHidden + k]) * c[k] +
               Sigmoid(gates[k]) * std::tanh(gates[2 * kHidden + k]);
        h[k] = Sigmoid(gates[3 * kHidden + k]) * std::tanh(c[k]);
      }
      double total = 0, target = 0;
      for (int token = 0; token < kVocabulary; ++token) {
        double logit = w["head.bias"][token];
        for (int k = 0; k < kHidden; ++k) logit += w["head.weight"][token * kHidden + k] * h[k];
        total += std::exp(logit);
        if (token == targets[at]) target = logit;
      }
      loss += (std::log(total) - target) / (3 * kTokens);
    }
  }
  EXPECT_NEAR(Pass(model.get(), batch), loss, 1e-12);
}

TEST(LstmTest, DropoutFollowsTheStreamAndLeavesEvaluationAlone) {
  const DataSpec data = TextSpec(8, 20);
  const Batch batch = MadeUpBatch(data, 4, 1);
  const auto with = Make("embedding: 16 hidden: 16 dropout: 0.5", data);
  const auto without = Make("embedding: 16 hidden: 16", data);
  const Arenas arenas(with->layout(), DType::kF32);
  CHECK_OK(with->Initialize(1, arenas.x()));
  MetricSums sums[2];
  for (Model* model : {with.get(), without.get()}) {
    CHECK_OK(model->Bind(arenas.x(), arenas.g()));
    CHECK_OK(model->Evaluate(batch, &sums[model == with.get()]));
  }
  EXPECT_EQ(sums[0].loss, sums[1].loss);
  EXPECT_EQ(Pass(with.get(), batch, 5), Pass(with.get(), batch, 5));
  EXPECT_NE(Pass(with.get(), batch, 5), Pass(with.get(), batch, 6));
}

TEST(LstmTest, TiedNeedsEqualWidths) {
  const DataSpec data = TextSpec(4, 9);
  Model::Context context;
  context.data = &data;
  EXPECT_EQ(CreateModel("lstm", "embedding: 5 hidden: 6 tied: true", context).status(),
            absl::InvalidArgumentError("model \"lstm\": tied takes embeddings as wide as the "
                                       "LSTMs; embedding is 5 and hidden 6"));
}

}  // namespace
}  // namespace starling
