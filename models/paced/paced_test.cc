#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/clock.h"
#include "core/random/random.h"
#include "core/status.h"
#include "data/dataset.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

constexpr char kNoTime[] = " forward_ms: 0 backward_ms: 0";

std::vector<ModelCase> Cases() {
  return {
      {"OneElement", "paced", std::string("parameters: 1 tensors: 1") + kNoTime, DataSpec()},
      {"ManyTensors", "paced", std::string("parameters: 100 tensors: 7") + kNoTime,
       LabelledSpec({4}, 3)},
      {"LongerThanThePattern", "paced", std::string("parameters: 5000 tensors: 2") + kNoTime,
       DataSpec()},
  };
}

INSTANTIATE_TEST_SUITE_P(Paced, ModelConformance, testing::ValuesIn(Cases()), ModelCaseName);

// Time passes only by sleeping, a little too long each time as everywhere, and by Spend.
class FakeClock final : public Clock {
 public:
  double NowSeconds() override { return now_; }
  void SleepUntil(double seconds) override { now_ = std::max(now_, seconds) + oversleep; }
  void Spend(double seconds) { now_ += seconds; }

  double oversleep = 0;

 private:
  double now_ = 100;
};

std::unique_ptr<Model> Make(const std::string& config, Clock* clock, int worker = 0,
                            int workers = 1) {
  static const DataSpec* const data = new DataSpec;
  Model::Context context;
  context.data = data;
  context.dtype = DType::kF64;
  context.bucket_bytes = 8;  // a bucket per tensor
  context.worker = worker;
  context.workers = workers;
  context.seed = 5;
  context.clock = clock;
  auto model = CreateModel("paced", config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

// Seconds from the beginning of a pass to each bucket's report; each takes `report_seconds`.
std::vector<double> Reports(Model* model, FakeClock* clock, double report_seconds = 0,
                            uint64_t stream = 1) {
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  const double begin = clock->NowSeconds();
  std::vector<double> seconds;
  const auto result = model->ForwardBackward(MadeUpBatch({}, 1, 1), stream, [&](int) {
    seconds.push_back(clock->NowSeconds() - begin);
    clock->Spend(report_seconds);
    return absl::OkStatus();
  });
  CHECK(result.ok()) << result.status();
  return seconds;
}

void ExpectNear(const std::vector<double>& seconds, const std::vector<double>& expected) {
  ASSERT_EQ(seconds.size(), expected.size());
  for (size_t i = 0; i < seconds.size(); ++i) EXPECT_NEAR(seconds[i], expected[i], 1e-9) << i;
}

TEST(PacedTest, ForwardThenTheBucketsByTheirSize) {
  FakeClock clock;
  const auto model = Make("parameters: 256 tensors: 4 forward_ms: 10 backward_ms: 40", &clock);
  ExpectNear(Reports(model.get(), &clock), {0.02, 0.03, 0.04, 0.05});
  // 32 and, with padding, 64 elements.
  const auto uneven = Make("parameters: 65 tensors: 2 forward_ms: 10 backward_ms: 30", &clock);

  ExpectNear(Reports(uneven.get(), &clock), {0.02, 0.04});
}

TEST(PacedTest, WakingUpLateDoesNotAddUp) {
  FakeClock clock;
  clock.oversleep = 1e-3;
  const auto model = Make("parameters: 256 tensors: 4 forward_ms: 10 backward_ms: 40", &clock);
  ExpectNear(Reports(model.get(), &clock), {0.021, 0.031, 0.041, 0.051});
}

TEST(PacedTest, WhatTheAlgorithmTakesComesOnTop) {
  FakeClock clock;
  const auto model = Make("parameters: 256 tensors: 4 forward_ms: 10 backward_ms: 40", &clock);
  ExpectNear(Reports(model.get(), &clock, /*report_seconds=*/0.5), {0.02, 0.53, 1.04, 1.55});
}

TEST(PacedTest, JitterIsNormalPerPassAndNeverNegative) {
  FakeClock clock;
  const auto model =
      Make("parameters: 64 tensors: 2 forward_ms: 500 backward_ms: 1000 jitter: 0.1", &clock);
  double mean = 0, squares = 0;
  constexpr int kPasses = 2000;
  for (int pass = 0; pass < kPasses; ++pass) {
    const uint64_t stream = StreamKey(7, Purpose::kTest, 0, pass);
    const std::vector<double> seconds = Reports(model.get(), &clock, 0, stream);
    // One factor for the whole pass.
    ASSERT_NEAR(seconds[0], 1.0 / 1.5 * seconds[1], 1e-9);
    mean += seconds[1] / kPasses;
    squares += seconds[1] * seconds[1] / kPasses;
  }
  EXPECT_NEAR(mean, 1.5, 0.01);
  EXPECT_NEAR(std::sqrt(squares - mean * mean), 0.15, 0.01);

  const uint64_t stream = StreamKey(7, Purpose::kTest, 0, 1);
  EXPECT_EQ(Reports(model.get(), &clock, 0, stream).size(), 2u);
  const auto wild =
      Make("parameters: 64 tensors: 2 forward_ms: 500 backward_ms: 1000 jitter: 100", &clock);
  int at_once = 0;
  for (int pass = 0; pass < 100; ++pass) {
    const double seconds = Reports(wild.get(), &clock, 0, StreamKey(7, Purpose::kTest, 0, pass))[1];
    ASSERT_GE(seconds, 0);
    if (seconds == 0) ++at_once;
  }
  EXPECT_GT(at_once, 30);
  EXPECT_LT(at_once, 70);
}

TEST(PacedTest, EvaluationTakesNoTimeAndEndsAtTheOptimumOfAllWorkers) {
  FakeClock clock;
  constexpr int kWorkers = 3, kParameters = 3000;
  const std::string config = "parameters: 3000 tensors: 1 forward_ms: 0 backward_ms: 0";
  std::vector<double> optimum(kParameters), first_centre;
  for (int worker = 0; worker < kWorkers; ++worker) {
    const auto model = Make(config, &clock, worker, kWorkers);
    const Arenas arenas(model->layout(), DType::kF64);  // x = 0, so g = -c
    ASSERT_TRUE(model->Bind(arenas.x(), arenas.g()).ok());
    const double loss = Pass(model.get(), MadeUpBatch({}, 1, 1));
    double squares = 0;
    for (int k = 0; k < kParameters; ++k) {
      squares += std::pow(GetElement(arenas.g(), k), 2);
      optimum[k] -= GetElement(arenas.g(), k) / kWorkers;
      if (worker == 0) first_centre.push_back(-GetElement(arenas.g(), k));
    }
    EXPECT_NEAR(loss, 0.5 * squares, 1e-9 * squares);
    EXPECT_NEAR(squares / kParameters, 1, 0.15);
  }
  const double begin = clock.NowSeconds();
  const auto model = Make(config, &clock, 1, kWorkers);
  const Arenas arenas(model->layout(), DType::kF64);
  ASSERT_TRUE(model->Bind(arenas.x(), Buffer()).ok());
  const auto evaluate = [&](const std::vector<double>& x) {
    for (int k = 0; k < kParameters; ++k) SetElement(arenas.x(), k, x[k]);
    MetricSums sums;
    CHECK_OK(model->Evaluate(MadeUpBatch({}, 4, 1), &sums));
    return sums.loss / static_cast<double>(sums.targets);
  };
  EXPECT_NEAR(evaluate(optimum), 0, 1e-20);
  double squares = 0;
  for (int k = 0; k < kParameters; ++k) squares += std::pow(first_centre[k] - optimum[k], 2);
  EXPECT_NEAR(evaluate(first_centre), 0.5 * squares, 1e-9 * squares);
  EXPECT_GT(squares, 1);
  EXPECT_EQ(clock.NowSeconds(), begin);
}

TEST(PacedTest, MoreTensorsThanParametersAreRefused) {
  const DataSpec data;
  Model::Context context;
  context.data = &data;
  EXPECT_EQ(CreateModel("paced", "parameters: 3 tensors: 4", context).status().message(),
            "model \"paced\": tensors is 4 and parameters is 3; a tensor holds at least one "
            "parameter");
}

}  // namespace
}  // namespace starling
