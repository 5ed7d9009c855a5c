#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/status.h"
#include "data/dataset.h"
#include "data/translations.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"
#include "models/transformer/reference.h"

namespace starling {
namespace {

using Tokens = std::vector<int64_t>;

constexpr int64_t kVocabulary = 11;
constexpr char kTiny[] =
    "d_model: 12 heads: 3 encoder_layers: 2 decoder_layers: 2 ff: 10 max_length: 64 ";
constexpr char kPlain[] = "dropout: 0 label_smoothing: 0 ";

std::vector<ModelCase> Cases() {
  return {
      {"Tiny", "transformer", std::string(kTiny) + kPlain, TranslationSpec(kVocabulary)},
      {"OneHeadOneLayer", "transformer",
       "d_model: 8 heads: 1 encoder_layers: 1 decoder_layers: 1 ff: 16 dropout: 0 "
       "label_smoothing: 0",
       TranslationSpec(7)},
  };
}

INSTANTIATE_TEST_SUITE_P(Transformer, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

absl::StatusOr<std::unique_ptr<Model>> Make(const std::string& config, const DataSpec& data) {
  Model::Context context;
  context.data = &data;
  context.dtype = DType::kF64;
  return CreateModel("transformer", config, context);
}

// Sentences without kBegin and kEnd.
struct Pair {
  Tokens source, target;
};

// As data/translations.h describes it.
Batch BatchOf(const std::vector<Pair>& pairs) {
  size_t source = 0, target = 0;
  for (const Pair& pair : pairs) {
    source = std::max(source, pair.source.size() + 1);
    target = std::max(target, pair.target.size() + 1);
  }
  Batch batch;
  batch.size = static_cast<int64_t>(pairs.size());
  const auto fill = [&](int field, size_t length, const auto& tokens_of) {
    const auto out =
        ReserveField(&batch, field, batch.size, {static_cast<int64_t>(length)}, DType::kI64)
            .as<int64_t>();
    std::fill(out.begin(), out.end(), kPadding);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const Tokens tokens = tokens_of(pairs[i]);
      std::copy(tokens.begin(), tokens.end(), out.begin() + i * length);
    }
  };
  const auto with_begin = [](Tokens tokens) {
    tokens.insert(tokens.begin(), kBegin);
    return tokens;
  };
  const auto with_end = [](Tokens tokens) {
    tokens.push_back(kEnd);
    return tokens;
  };
  fill(0, source, [&](const Pair& pair) { return with_end(pair.source); });
  fill(1, target, [&](const Pair& pair) { return with_begin(pair.target); });
  fill(2, target, [&](const Pair& pair) { return with_end(pair.target); });
  return batch;
}

std::vector<Pair> Pairs() {
  return {{{4, 5, 6, 7}, {5, 6}},
          {{10}, {4, 9, 8, 10, 7}},
          {{}, {6}},
          {{9, 9, 4, 8, 7, 6, 5}, {}},
          {{5, 4}, {5, 5, 5}}};
}

// A model with values large enough to matter, and its reference.
class TransformerTest : public testing::Test {
 protected:
  explicit TransformerTest(const std::string& config = kPlain)
      : data_(TranslationSpec(kVocabulary)),
        model_(Make(kTiny + config, data_).value()),
        arenas_(model_->layout(), DType::kF64),
        reference_(&model_->layout(), arenas_.x(), 3, 2, 2) {
    CHECK_OK(model_->Initialize(5, arenas_.x()));
    // Biases and norms start as constants.
    for (int64_t i = 0; i < arenas_.x().count; ++i) {
      SetElement(arenas_.x(), i, 1.5 * GetElement(arenas_.x(), i) + 0.1 * std::sin(1.0 * i));
    }
    CHECK_OK(model_->Bind(arenas_.x(), arenas_.g()));
  }

  // Row i: log probabilities of pair.target[i], or of kEnd.
  TransformerReference::Rows Reference(const Pair& pair) const {
    Tokens source = pair.source, target_in = pair.target;
    source.push_back(kEnd);
    target_in.insert(target_in.begin(), kBegin);
    return reference_.LogProbabilities(source, target_in);
  }

  const DataSpec data_;
  const std::unique_ptr<Model> model_;
  const Arenas arenas_;
  const TransformerReference reference_;
};

TEST_F(TransformerTest, LossesAreThoseOfPlainLoopsWhateverThePadding) {
  double sum = 0, correct = 0;
  int64_t targets = 0;
  for (const Pair& pair : Pairs()) {
    const auto rows = Reference(pair);
    Tokens target = pair.target;
    target.push_back(kEnd);
    for (size_t i = 0; i < target.size(); ++i) {
      sum -= rows[i][target[i]];
      correct += std::max_element(rows[i].begin(), rows[i].end()) - rows[i].begin() == target[i];
      ++targets;
    }
    MetricSums alone;
    ASSERT_TRUE(model_->Evaluate(BatchOf({pair}), &alone).ok());
    EXPECT_EQ(alone.targets, static_cast<int64_t>(target.size()));
  }
  MetricSums sums;
  ASSERT_TRUE(model_->Evaluate(BatchOf(Pairs()), &sums).ok());
  EXPECT_NEAR(sums.loss, sum, 1e-10 * sum);
  EXPECT_EQ(sums.targets, targets);
  EXPECT_EQ(sums.correct, correct);
  EXPECT_NEAR(Pass(model_.get(), BatchOf(Pairs())), sum / targets, 1e-10);
}

// The gradient of the mean over all targets is the mean of the pairs' gradients, each weighed by
// its targets: nothing leaks in from padding.
TEST_F(TransformerTest, PaddingHasNoGradient) {
  Pass(model_.get(), BatchOf(Pairs()));
  std::vector<double> rest(arenas_.g().count);
  double targets = 0;
  for (const Pair& pair : Pairs()) targets += static_cast<double>(pair.target.size() + 1);
  for (size_t i = 0; i < rest.size(); ++i) rest[i] = GetElement(arenas_.g(), i);
  for (const Pair& pair : Pairs()) {
    Pass(model_.get(), BatchOf({pair}));
    const double share = static_cast<double>(pair.target.size() + 1) / targets;
    for (size_t i = 0; i < rest.size(); ++i) rest[i] -= share * GetElement(arenas_.g(), i);
  }
  for (size_t i = 0; i < rest.size(); ++i) ASSERT_NEAR(rest[i], 0, 1e-12) << "element " << i;
}

class GreedyTransformerTest : public TransformerTest {
 protected:
  GreedyTransformerTest() : TransformerTest(std::string(kPlain) + "beam: 1") {}
};

// Greedy translation keeps what it has computed; the reference computes everything anew.
TEST_F(GreedyTransformerTest, TranslatesAsPlainLoopsDo) {
  const auto translations = model_->Translate(BatchOf(Pairs()));
  ASSERT_TRUE(translations.ok()) << translations.status();
  const std::vector<Pair> pairs = Pairs();
  ASSERT_EQ(translations->size(), pairs.size());
  size_t longest = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    Pair pair = {pairs[i].source, {}};
    const size_t limit = std::min<size_t>(pair.source.size() + 1 + 50, 64);
    while (pair.target.size() < limit) {
      std::vector<double> row = Reference(pair).back();
      row[kPadding] = row[kBegin] = -1e9;
      const auto best = std::max_element(row.begin(), row.end()) - row.begin();
      if (best == kEnd) break;
      pair.target.push_back(best);
    }
    EXPECT_EQ((*translations)[i], pair.target) << "sentence " << i;
    longest = std::max(longest, pair.target.size());
  }
  EXPECT_GT(longest, 3u);
}

TEST_F(TransformerTest, TranslationsDoNotDependOnTheBatch) {
  const auto together = model_->Translate(BatchOf(Pairs())).value();
  for (size_t i = 0; i < Pairs().size(); ++i) {
    EXPECT_EQ(model_->Translate(BatchOf({Pairs()[i]})).value()[0], together[i]);
    for (int64_t token : together[i]) EXPECT_TRUE(token != kPadding && token != kBegin);
  }
}

class SmoothedTransformerTest : public TransformerTest {
 protected:
  SmoothedTransformerTest() : TransformerTest("dropout: 0 label_smoothing: 0.2") {}
};

// Training compares with 0.8 of the target and 0.2 of all tokens alike, evaluation does not.
TEST_F(SmoothedTransformerTest, SmoothsLabelsInTrainingOnly) {
  double smooth = 0, plain = 0, targets = 0;
  for (const Pair& pair : Pairs()) {
    const auto rows = Reference(pair);
    for (size_t i = 0; i < rows.size(); ++i, ++targets) {
      const int64_t target = i < pair.target.size() ? pair.target[i] : kEnd;
      plain -= rows[i][target];
      for (int64_t token = 0; token < kVocabulary; ++token) {
        smooth -= (0.2 / kVocabulary + (token == target ? 0.8 : 0)) * rows[i][token];
      }
    }
  }
  EXPECT_NEAR(Pass(model_.get(), BatchOf(Pairs())), smooth / targets, 1e-10);
  MetricSums sums;
  ASSERT_TRUE(model_->Evaluate(BatchOf(Pairs()), &sums).ok());
  EXPECT_NEAR(sums.loss, plain, 1e-9);
}

class DroppingTransformerTest : public TransformerTest {
 protected:
  DroppingTransformerTest() : TransformerTest("dropout: 0.3 label_smoothing: 0") {}
};

TEST_F(DroppingTransformerTest, DropsByStreamInTrainingOnly) {
  const Batch batch = BatchOf(Pairs());
  const double first = Pass(model_.get(), batch, 1);
  EXPECT_EQ(Pass(model_.get(), batch, 1), first);
  EXPECT_NE(Pass(model_.get(), batch, 2), first);
  MetricSums sums;
  ASSERT_TRUE(model_->Evaluate(batch, &sums).ok());
  double plain = 0;
  for (const Pair& pair : Pairs()) {
    const auto rows = Reference(pair);
    for (size_t i = 0; i < rows.size(); ++i) {
      plain -= rows[i][i < pair.target.size() ? pair.target[i] : kEnd];
    }
  }
  EXPECT_NEAR(sums.loss, plain, 1e-9);
}

TEST(TransformerParametersTest, NumbersOfTheBaseAndTheBigModel) {
  const auto parameters = [](const std::string& config, int64_t vocabulary) {
    const DataSpec data = TranslationSpec(vocabulary);
    Model::Context context;
    context.data = &data;
    return CreateModel("transformer", config, context).value()->layout().parameters();
  };
  EXPECT_EQ(parameters("", 37120), 63145984);
  EXPECT_EQ(parameters("d_model: 1024 heads: 16 ff: 4096", 32000), 209129472);
}

TEST(TransformerParametersTest, StartsAsDescribed) {
  const DataSpec data = TranslationSpec(500);
  const auto model = Make("d_model: 64 heads: 4 encoder_layers: 1 decoder_layers: 1", data).value();
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Initialize(1, arenas.x()));
  std::vector<std::string> names;
  for (const TensorInfo& tensor : model->layout().tensors) {
    names.push_back(tensor.name);
    double mean = 0, square = 0;
    for (int64_t i = 0; i < tensor.count; ++i) {
      const double value = GetElement(arenas.x(), tensor.offset + i);
      mean += value / static_cast<double>(tensor.count);
      square += value * value / static_cast<double>(tensor.count);
    }
    const bool norm = tensor.name.find("norm") != std::string::npos;
    if (tensor.shape.size() == 1) {
      const bool one = norm && tensor.name.find("weight") != std::string::npos;
      EXPECT_EQ(square, one ? 1 : 0) << tensor.name;
      continue;
    }
    // Of U(-b, b), b^2 = 6 / (rows + columns), and of N(0, 1 / 64).
    const double expected = tensor.name == "embedding.weight"
                                ? 1.0 / 64
                                : 2.0 / static_cast<double>(tensor.shape[0] + tensor.shape[1]);
    EXPECT_NEAR(square, expected, 0.05 * expected) << tensor.name;
    EXPECT_NEAR(mean, 0, 0.05 * std::sqrt(expected)) << tensor.name;
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names.size(), 1u + 12 + 18 + 4);
  EXPECT_EQ(names.front(), "decoder.layers.0.linear1.bias");
  EXPECT_TRUE(std::count(names.begin(), names.end(), "encoder.layers.0.self_attn.in_proj_weight"));
  EXPECT_TRUE(
      std::count(names.begin(), names.end(), "decoder.layers.0.multihead_attn.out_proj.bias"));
}

TEST(TransformerErrorsTest, SaysWhatItNeeds) {
  EXPECT_EQ(Make("", LabelledSpec({1, 28, 28}, 10)).status(),
            absl::InvalidArgumentError(
                "model \"transformer\" needs sentence pairs, with the fields source, target_in "
                "and target_out and a vocabulary of at least 5 tokens; data set gives the fields "
                "image, label and a vocabulary of 0"));
  EXPECT_EQ(Make("d_model: 12 heads: 5", TranslationSpec(9)).status(),
            absl::InvalidArgumentError("model \"transformer\": d_model is 12 with 5 heads; it must "
                                       "be even and a multiple of heads"));
}

TEST(TransformerErrorsTest, SaysHowLongASequenceMayBe) {
  const DataSpec data = TranslationSpec(kVocabulary);
  const auto model = Make("d_model: 2 heads: 1 ff: 1 max_length: 4", data).value();
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  MetricSums sums;
  EXPECT_EQ(model->Evaluate(BatchOf({{{5, 6, 7, 8}, {4}}}), &sums),
            absl::InvalidArgumentError("model \"transformer\": evaluation: a sequence of 5 tokens "
                                       "is longer than max_length 4"));
}

}  // namespace
}  // namespace starling
