#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/status.h"
#include "data/dataset.h"
#include "glog/logging.h"
#include "gtest/gtest.h"
#include "models/model_conformance.h"
#include "models/model_testutil.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(Faulty, ModelConformance,
                         testing::Values(ModelCase{"NoFault", "faulty", "", DataSpec()}),
                         ModelCaseName);

std::unique_ptr<Model> Make(const std::string& config, int worker) {
  static const DataSpec* const data = new DataSpec;
  Model::Context context;
  context.data = data;
  context.dtype = DType::kF64;
  context.bucket_bytes = 8;  // a bucket per tensor
  context.worker = worker;
  context.workers = 2;
  auto model = CreateModel("faulty", config, context);
  CHECK(model.ok()) << model.status();
  return *std::move(model);
}

// The pass of the first that fails, or -1; counts the buckets that it has handed over.
int FailingPass(const std::string& config, int worker, int* buckets) {
  const auto model = Make(config, worker);
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  for (int pass = 0; pass < 4; ++pass) {
    *buckets = 0;
    const auto result = model->ForwardBackward(MadeUpBatch({}, 1, 1), 1, [&](int) {
      ++*buckets;
      return absl::OkStatus();
    });
    if (!result.ok()) return pass;
  }
  return -1;
}

TEST(FaultyTest, FailsInItsStepAtItsPlace) {
  int buckets = 0;
  EXPECT_EQ(FailingPass("fault: FAIL place: FORWARD worker: 1 step: 2", 1, &buckets), 2);
  EXPECT_EQ(buckets, 0);
  EXPECT_EQ(FailingPass("fault: FAIL place: BACKWARD worker: 1 step: 2", 1, &buckets), 2);
  EXPECT_EQ(buckets, 1);
  EXPECT_EQ(FailingPass("fault: FAIL place: EXCHANGE worker: 1 step: 0", 1, &buckets), 0);
  EXPECT_EQ(buckets, 2);
}

TEST(FaultyTest, OthersDoNot) {
  int buckets = 0;
  EXPECT_EQ(FailingPass("fault: FAIL place: FORWARD worker: 1 step: 2", 0, &buckets), -1);
  EXPECT_EQ(FailingPass("fault: FAIL place: EVALUATION worker: 1", 1, &buckets), -1);
}

TEST(FaultyTest, FailsInTheFirstEvaluationAfterItsStep) {
  const auto model = Make("fault: FAIL place: EVALUATION worker: 1", 1);
  const Arenas arenas(model->layout(), DType::kF64);
  CHECK_OK(model->Bind(arenas.x(), arenas.g()));
  MetricSums sums;
  EXPECT_TRUE(model->Evaluate(MadeUpBatch({}, 1, 1), &sums).ok());
  Pass(model.get(), MadeUpBatch({}, 1, 1));
  EXPECT_EQ(model->Evaluate(MadeUpBatch({}, 1, 1), &sums).message(), "a made-up fault");
  EXPECT_TRUE(model->Evaluate(MadeUpBatch({}, 1, 1), &sums).ok());
}

}  // namespace
}  // namespace starling
