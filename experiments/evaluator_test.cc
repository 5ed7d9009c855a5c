#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/backend.h"
#include "core/layout.h"
#include "core/registry.h"
#include "core/state.h"
#include "core/status.h"
#include "data/bleu.h"
#include "data/translations.h"
#include "gtest/gtest.h"
#include "optim/algorithm_base.h"

namespace starling {
namespace {

constexpr int kWorkers = 3;
constexpr int kDimension = 2;
constexpr int64_t kExamples = 1003;  // neither workers nor batches divide it
constexpr int64_t kTokens = 300;     // of an example, where there is a vocabulary

// As push-sum keeps them: worker r holds a numerator and a weight that is not 1.
constexpr double kNumerators[kWorkers][kDimension] = {{1, 8}, {6, 2}, {12, -4}};
constexpr double kWeights[kWorkers] = {1, 2, 4};

double Estimated(int worker, int k) { return kNumerators[worker][k] / kWeights[worker]; }

double Average(int k) {
  double sum = 0, weight = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    sum += kNumerators[worker][k];
    weight += kWeights[worker];
  }
  return sum / weight;
}

class PushSumLike final : public AlgorithmBase {
 public:
  explicit PushSumLike(int worker) : worker_(worker) {}
  AlgorithmFacts facts() const override { return {}; }
  absl::Status OnBucketReady(const StepInfo&, int) override { return absl::OkStatus(); }
  absl::Status OnStepEnd(const StepInfo&) override { return absl::OkStatus(); }
  absl::Status Estimate(Buffer numerator, double* weight) override {
    for (int k = 0; k < kDimension; ++k) numerator.as<double>()[k] = kNumerators[worker_][k];
    *weight = kWeights[worker_];
    return absl::OkStatus();
  }

 private:
  int worker_;
};

// What example i is in the target language; models translate it to what they make of its number.
std::string Sentence(int64_t i) { return absl::StrCat("one two three ", i % 7, " four ", i % 3); }

int64_t Translated(int64_t i) { return i % 5 == 0 ? i + 1 : i; }

// An example is its own number.
class Numbers final : public Dataset, public Translations {
 public:
  explicit Numbers(int64_t classes, int64_t vocabulary = 0, bool translates = false)
      : translates_(translates) {
    spec_.classes = classes;
    spec_.vocabulary = vocabulary;
    spec_.fields = {{"number", {vocabulary > 0 ? kTokens : 1}, DType::kI64}};
    for (int64_t i = 0; i < kExamples; ++i) references_.push_back(Sentence(i));
  }
  const DataSpec& spec() const override { return spec_; }
  int64_t size(Split split) const override { return split == Split::kTest ? kExamples : 0; }
  uint64_t fingerprint() const override { return 0; }
  absl::Status Read(Split split, absl::Span<const int64_t> examples, uint64_t,
                    Batch* out) const override {
    RETURN_IF_ERROR(CheckExamples(*this, split, examples));
    out->size = static_cast<int64_t>(examples.size());
    const auto ids = ReserveField(out, 0, out->size, {}, DType::kI64).as<int64_t>();
    std::copy(examples.begin(), examples.end(), ids.begin());
    return absl::OkStatus();
  }
  absl::Span<const int32_t> labels(Split) const override { return {}; }
  const Translations* translations() const override { return translates_ ? this : nullptr; }
  absl::string_view Reference(Split, int64_t example) const override {
    return references_[example];
  }
  std::string Text(absl::Span<const int64_t> tokens) const override { return Sentence(tokens[0]); }

 private:
  const bool translates_;
  std::vector<std::string> references_;
  DataSpec spec_;
};

// The loss of example i is x_0 i + x_1; every example below 100 x_0 counts as correct. Not linear
// in x, so evaluating the average is not averaging evaluations. The average's translations are
// those of Translated.
class Linear final : public Model {
 public:
  explicit Linear(bool translates) : translates_(translates) {}
  const Layout& layout() const override { return layout_; }
  absl::Status Initialize(uint64_t, Buffer) override { return absl::OkStatus(); }
  absl::Status Bind(Buffer x, Buffer g) override {
    EXPECT_EQ(g.count, 0);
    x_ = x;
    return absl::OkStatus();
  }
  absl::StatusOr<StepResult> ForwardBackward(const Batch&, uint64_t, const BucketReady&) override {
    return absl::UnimplementedError("evaluation only");
  }
  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    largest_batch = std::max(largest_batch, batch.size);
    const auto x = x_.as<double>();
    for (int64_t id : batch.fields[0].buffer().as<int64_t>()) {
      sums->loss += x[0] * static_cast<double>(id) + x[1];
      sums->correct += static_cast<double>(id) < 100 * x[0];
    }
    sums->targets += batch.size;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::vector<int64_t>>> Translate(const Batch& batch) override {
    if (!translates_) return Model::Translate(batch);
    EXPECT_NEAR(x_.as<double>()[0], Average(0), 1e-12);
    std::vector<std::vector<int64_t>> translations;
    for (int64_t id : batch.fields[0].buffer().as<int64_t>()) {
      translations.push_back({Translated(id)});
    }
    return translations;
  }
  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

  int64_t largest_batch = 0;

 private:
  const bool translates_;
  Layout layout_;
  Buffer x_;
};

double LinearLoss(double x0, double x1) { return x0 * (kExamples - 1) / 2 + x1; }
double LinearAccuracy(double x0) { return std::ceil(100 * x0) / kExamples; }

// Adds its statistic to every loss. It counts what it was trained on, which is nobody's business.
class WithStatistics final : public Model {
 public:
  explicit WithStatistics(float statistic) : statistic_(statistic), count_(7) {}
  const Layout& layout() const override { return layout_; }
  absl::Status Initialize(uint64_t, Buffer) override { return absl::OkStatus(); }
  absl::Status Bind(Buffer, Buffer) override { return absl::OkStatus(); }
  absl::StatusOr<StepResult> ForwardBackward(const Batch&, uint64_t, const BucketReady&) override {
    return absl::UnimplementedError("evaluation only");
  }
  absl::Status Evaluate(const Batch& batch, MetricSums* sums) override {
    EXPECT_EQ(count_, 7);
    sums->loss += statistic_ * static_cast<double>(batch.size);
    sums->targets += batch.size;
    return absl::OkStatus();
  }
  absl::Status VisitState(StateVisitor* visitor) override {
    RETURN_IF_ERROR(visitor->Visit("count", AsBuffer(absl::MakeSpan(&count_, 1))));
    return visitor->Visit("statistic", AsBuffer(absl::MakeSpan(&statistic_, 1)));
  }
  float statistic() const { return statistic_; }

 private:
  Layout layout_;
  float statistic_;
  int64_t count_;
};

// Runs `body` on every worker.
void OnEveryWorker(const std::function<absl::Status(Communicator*)>& body) {
  PluginRef threads;
  threads.set_name("threads");
  const auto backend = Registry<Backend>::Global().Create(threads, {kWorkers, 1, 2});
  ASSERT_TRUE(backend.ok()) << backend.status();
  const absl::Status status = (*backend)->Run(body);
  EXPECT_TRUE(status.ok()) << status;
}

// ... with an evaluator->
void OnEveryWorker(const Numbers& dataset, bool model_translates,
                   const std::function<absl::Status(Communicator*, Evaluator*)>& body) {
  OnEveryWorker([&](Communicator* comm) {
    Linear model(model_translates);
    PushSumLike algorithm(comm->rank());
    const Arena x(kDimension, DType::kF64);
    ASSIGN_OR_RETURN(const auto evaluator, Evaluator::Create(comm, &dataset, &model, &algorithm,
                                                             x.buffer(), absl::Seconds(30)));
    return body(comm, evaluator.get());
  });
}

void OnEveryWorker(int64_t classes,
                   const std::function<absl::Status(Communicator*, Evaluator*)>& body) {
  OnEveryWorker(Numbers(classes), /*model_translates=*/false, body);
}

TEST(EvaluatorTest, ConsensusDistanceIsTheDefinition) {
  double expected = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    for (int k = 0; k < kDimension; ++k) {
      expected += std::pow(Estimated(worker, k) - Average(k), 2) / kWorkers;
    }
  }
  std::vector<double> distances(kWorkers);
  OnEveryWorker(0, [&](Communicator* comm, Evaluator* evaluator) -> absl::Status {
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(distances[comm->rank()], evaluator->ConsensusDistance());
    return absl::OkStatus();
  });
  for (double distance : distances) EXPECT_DOUBLE_EQ(distance, std::sqrt(expected));
}

TEST(EvaluatorTest, EvaluatesTheWeightedAverageAndEveryWorkersOwnModel) {
  std::vector<Evaluation> evaluations(kWorkers);
  OnEveryWorker(2, [&](Communicator* comm, Evaluator* evaluator) -> absl::Status {
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(evaluations[comm->rank()], evaluator->Evaluate(Split::kTest));
    return absl::OkStatus();
  });
  for (const Evaluation& evaluation : evaluations) {  // equal on all workers
    EXPECT_NEAR(evaluation.loss, LinearLoss(Average(0), Average(1)), 1e-9);
    ASSERT_TRUE(evaluation.accuracy.has_value());
    EXPECT_DOUBLE_EQ(*evaluation.accuracy, LinearAccuracy(Average(0)));
    ASSERT_EQ(evaluation.worker_loss.size(), 3u);
    ASSERT_EQ(evaluation.worker_accuracy.size(), 3u);
    for (int worker = 0; worker < kWorkers; ++worker) {
      EXPECT_NEAR(evaluation.worker_loss[worker],
                  LinearLoss(Estimated(worker, 0), Estimated(worker, 1)), 1e-9);
      EXPECT_DOUBLE_EQ(evaluation.worker_accuracy[worker], LinearAccuracy(Estimated(worker, 0)));
    }
  }
}

TEST(EvaluatorTest, LeavesOutTheWorkersOnDemand) {
  OnEveryWorker(2, [&](Communicator*, Evaluator* evaluator) -> absl::Status {
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(const Evaluation alone, evaluator->Evaluate(Split::kTest, false));
    ASSIGN_OR_RETURN(const Evaluation whole, evaluator->Evaluate(Split::kTest));
    EXPECT_EQ(alone.loss, whole.loss);
    EXPECT_EQ(alone.accuracy, whole.accuracy);
    EXPECT_TRUE(alone.worker_loss.empty() && alone.worker_accuracy.empty());
    return absl::OkStatus();
  });
}

TEST(EvaluatorTest, AveragesStatisticsOnDemandAndGivesThemBack) {
  constexpr float kStatistics[kWorkers] = {0, 1, 3};
  const Numbers dataset(0);
  for (const bool average : {true, false}) {
    OnEveryWorker([&](Communicator* comm) -> absl::Status {
      WithStatistics model(kStatistics[comm->rank()]);
      PushSumLike algorithm(comm->rank());
      const Arena x(kDimension, DType::kF64);
      ASSIGN_OR_RETURN(const auto evaluator,
                       Evaluator::Create(comm, &dataset, &model, &algorithm, x.buffer(),
                                         absl::Seconds(30), average));
      RETURN_IF_ERROR(evaluator->UpdateAverage());
      ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator->Evaluate(Split::kTest));
      EXPECT_EQ(evaluation.worker_loss, std::vector<double>({0, 1, 3}));
      // Of 1003 examples the workers take 334, 334 and 335.
      EXPECT_NEAR(evaluation.loss, average ? 4.0 / 3 : (334 * 0 + 334 * 1 + 335 * 3) / 1003.0,
                  1e-7);
      EXPECT_EQ(model.statistic(), kStatistics[comm->rank()]);
      return absl::OkStatus();
    });
  }
}

TEST(EvaluatorTest, WithoutClassesThereIsNoAccuracy) {
  OnEveryWorker(0, [&](Communicator*, Evaluator* evaluator) -> absl::Status {
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator->Evaluate(Split::kTest));
    EXPECT_FALSE(evaluation.accuracy.has_value());
    EXPECT_FALSE(evaluation.perplexity.has_value());
    EXPECT_TRUE(evaluation.worker_accuracy.empty());
    return absl::OkStatus();
  });
}

TEST(EvaluatorTest, TokensHaveAPerplexityAndSmallBatches) {
  PluginRef threads;
  threads.set_name("threads");
  const auto backend = Registry<Backend>::Global().Create(threads, {1, 1, 1});
  ASSERT_TRUE(backend.ok()) << backend.status();
  const Numbers dataset(/*classes=*/0, /*vocabulary=*/7);
  const absl::Status status = (*backend)->Run([&](Communicator* comm) -> absl::Status {
    Linear model(/*translates=*/false);
    PushSumLike algorithm(0);
    const Arena x(kDimension, DType::kF64);
    ASSIGN_OR_RETURN(const auto evaluator, Evaluator::Create(comm, &dataset, &model, &algorithm,
                                                             x.buffer(), absl::Seconds(30)));
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator->Evaluate(Split::kTest));
    EXPECT_FALSE(evaluation.accuracy.has_value());
    EXPECT_NEAR(evaluation.loss, LinearLoss(Estimated(0, 0), Estimated(0, 1)), 1e-9);
    EXPECT_EQ(evaluation.perplexity, std::exp(evaluation.loss));
    EXPECT_EQ(model.largest_batch, 6);  // of 300 tokens in 2,048
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(EvaluatorTest, ASplitWithoutExamplesDividesByNothing) {
  OnEveryWorker(2, [&](Communicator*, Evaluator* evaluator) -> absl::Status {
    RETURN_IF_ERROR(evaluator->UpdateAverage());
    ASSIGN_OR_RETURN(const Evaluation evaluation, evaluator->Evaluate(Split::kValidation));
    EXPECT_EQ(evaluation.loss, 0);
    EXPECT_EQ(evaluation.accuracy, 0);
    return absl::OkStatus();
  });
}

TEST(EvaluatorTest, BleuIsThatOfTheWholeSplit) {
  BleuCounts expected;
  for (int64_t i = 0; i < kExamples; ++i) expected.Add(Sentence(Translated(i)), Sentence(i));
  EXPECT_GT(expected.Score(), 50);
  EXPECT_LT(expected.Score(), 99);
  OnEveryWorker(Numbers(0, 0, /*translates=*/true), /*model_translates=*/true,
                [&](Communicator*, Evaluator* evaluator) -> absl::Status {
                  RETURN_IF_ERROR(evaluator->UpdateAverage());
                  ASSIGN_OR_RETURN(const auto bleu, evaluator->Bleu(Split::kTest));
                  EXPECT_EQ(bleu, expected.Score());
                  ASSIGN_OR_RETURN(const auto of_nothing, evaluator->Bleu(Split::kTrain));
                  EXPECT_EQ(of_nothing, 0);
                  return absl::OkStatus();
                });
}

TEST(EvaluatorTest, WithoutTranslationsThereIsNoBleu) {
  for (bool data_translate : {true, false}) {
    OnEveryWorker(Numbers(0, 0, data_translate), /*model_translates=*/!data_translate,
                  [&](Communicator*, Evaluator* evaluator) -> absl::Status {
                    RETURN_IF_ERROR(evaluator->UpdateAverage());
                    ASSIGN_OR_RETURN(const auto bleu, evaluator->Bleu(Split::kTest));
                    EXPECT_EQ(bleu, std::nullopt);
                    return absl::OkStatus();
                  });
  }
}

TEST(EvaluatorTest, GathersInOrderOfRanksAndCountsAsMeasurement) {
  OnEveryWorker(0, [&](Communicator* comm, Evaluator* evaluator) -> absl::Status {
    ASSIGN_OR_RETURN(const auto values, evaluator->Gather(0.1 * comm->rank()));
    EXPECT_EQ(values, std::vector<double>({0, 0.1, 0.1 * 2}));
    EXPECT_EQ(comm->bytes_sent(Traffic::kTraining), 0);
    EXPECT_GT(comm->bytes_sent(Traffic::kMeasurement), 0);
    return absl::OkStatus();
  });
}

}  // namespace
}  // namespace starling
