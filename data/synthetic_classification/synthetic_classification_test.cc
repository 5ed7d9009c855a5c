#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/config/plugin_ref.pb.h"
#include "core/registry.h"
#include "data/dataset_conformance.h"
#include "data/synthetic_classification/synthetic_classification.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SyntheticClassificationConfig Small() {
  SyntheticClassificationConfig config;
  config.set_classes(3);
  config.add_shape(2);
  config.add_shape(5);
  config.set_train_examples(50);
  config.set_validation_examples(20);
  config.set_test_examples(3);
  return config;
}

PluginRef Ref(const SyntheticClassificationConfig& config) {
  PluginRef ref;
  ref.set_name("synthetic_classification");
  ref.mutable_config()->PackFrom(config);
  return ref;
}

absl::StatusOr<std::unique_ptr<Dataset>> Make(const SyntheticClassificationConfig& config,
                                              uint64_t seed = 1) {
  Dataset::Context context;
  context.seed = seed;
  return Registry<Dataset>::Global().Create(Ref(config), context);
}

// All examples of a split, [example][feature].
std::vector<float> Values(const Dataset& dataset, Split split) {
  std::vector<int64_t> ids(dataset.size(split));
  std::iota(ids.begin(), ids.end(), 0);
  Batch batch;
  EXPECT_TRUE(dataset.Read(split, ids, 0, &batch).ok());
  const auto values = batch.fields[0].buffer().as<float>();
  return {values.begin(), values.end()};
}

INSTANTIATE_TEST_SUITE_P(Defaults, DatasetConformance, testing::Values(DatasetCase{Ref({})}),
                         DatasetCaseName);
INSTANTIATE_TEST_SUITE_P(Small, DatasetConformance, testing::Values(DatasetCase{Ref(Small())}),
                         DatasetCaseName);

TEST(SyntheticClassificationTest, HasTheShapesAndSizesOfItsConfig) {
  const auto dataset = Make(Small());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT((*dataset)->spec().fields[0].shape, ElementsAre(2, 5));
  EXPECT_EQ((*dataset)->spec().classes, 3);
  EXPECT_EQ((*dataset)->size(Split::kTrain), 50);
  EXPECT_EQ((*dataset)->size(Split::kValidation), 20);
  EXPECT_THAT((*dataset)->labels(Split::kTest), ElementsAre(0, 1, 2));
}

TEST(SyntheticClassificationTest, ALargerSplitBeginsWithTheSmallerOne) {
  SyntheticClassificationConfig larger = Small();
  larger.set_train_examples(80);
  const auto a = Make(Small()), b = Make(larger);
  ASSERT_TRUE(a.ok() && b.ok());
  const std::vector<float> few = Values(**a, Split::kTrain);
  std::vector<float> many = Values(**b, Split::kTrain);
  many.resize(few.size());
  EXPECT_EQ(few, many);
  EXPECT_NE((*a)->fingerprint(), (*b)->fingerprint());
}

TEST(SyntheticClassificationTest, FingerprintCoversTheShape) {
  SyntheticClassificationConfig other = Small();
  other.clear_shape();
  other.add_shape(10);  // the same numbers in another shape
  const auto a = Make(Small()), b = Make(other);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(Values(**a, Split::kTrain), Values(**b, Split::kTrain));
  EXPECT_NE((*a)->fingerprint(), (*b)->fingerprint());
}

// The formula of the header, integrated: E[Phi(Z + s)^(K - 1)].
double BestAccuracy(double separation, int classes) {
  double sum = 0;
  constexpr double kStep = 1e-3;
  for (double z = -10; z < 10; z += kStep) {
    const double below = 0.5 * std::erfc(-(z + separation) / std::sqrt(2.0));
    sum += kStep * std::exp(-z * z / 2) / std::sqrt(2 * M_PI) * std::pow(below, classes - 1);
  }
  return sum;
}

// Accuracy on the test split of the linear classifier whose weights are the class means.
double AccuracyOfMeans(const Dataset& dataset) {
  const std::vector<float> train = Values(dataset, Split::kTrain);
  const std::vector<float> test = Values(dataset, Split::kTest);
  const auto train_labels = dataset.labels(Split::kTrain);
  const auto test_labels = dataset.labels(Split::kTest);
  const int64_t classes = dataset.spec().classes;
  const int64_t features = static_cast<int64_t>(train.size() / train_labels.size());
  std::vector<double> sums(classes * features, 0);  // classes are equally frequent
  for (size_t i = 0; i < train_labels.size(); ++i) {
    for (int64_t f = 0; f < features; ++f) {
      sums[train_labels[i] * features + f] += train[i * features + f];
    }
  }
  int64_t correct = 0;
  for (size_t i = 0; i < test_labels.size(); ++i) {
    std::vector<double> scores(classes);
    for (int64_t c = 0; c < classes; ++c) {
      for (int64_t f = 0; f < features; ++f) {
        scores[c] += sums[c * features + f] * test[i * features + f];
      }
    }
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    correct += best == test_labels[i] ? 1 : 0;
  }
  return static_cast<double>(correct) / static_cast<double>(test_labels.size());
}

TEST(SyntheticClassificationTest, BestAccuracyIsKnown) {
  EXPECT_NEAR(BestAccuracy(3, 10), 0.9025, 1e-4);  // as README.md says
  for (double separation : {1.0, 3.0}) {
    SyntheticClassificationConfig config;
    config.set_separation(separation);
    config.set_train_examples(40000);
    config.set_test_examples(20000);
    const auto dataset = Make(config);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    // Three standard errors of 20,000 examples: 0.010.
    EXPECT_NEAR(AccuracyOfMeans(**dataset), BestAccuracy(separation, 10), 0.011) << separation;
  }
}

TEST(SyntheticClassificationTest, TakesMoreClassesThanFeatures) {
  SyntheticClassificationConfig config = Small();
  config.set_classes(30);
  const auto dataset = Make(config);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  for (float value : Values(**dataset, Split::kTrain)) EXPECT_TRUE(std::isfinite(value));
}

TEST(SyntheticClassificationTest, RefusesWhatDoesNotFitIntoMemory) {
  SyntheticClassificationConfig config = Small();
  config.set_train_examples(INT64_MAX);
  const auto dataset = Make(config);
  EXPECT_EQ(dataset.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(dataset.status().message()), HasSubstr("at most 16 GiB"));
}

TEST(SyntheticClassificationTest, RefusesOneClass) {
  SyntheticClassificationConfig config = Small();
  config.set_classes(1);
  EXPECT_THAT(std::string(Make(config).status().message()),
              HasSubstr("classes is 1; it must be at least 2"));
}

}  // namespace
}  // namespace starling
