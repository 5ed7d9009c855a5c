#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/safetensors.h"
#include "core/status.h"
#include "experiments/replay/metric_comparison.h"
#include "experiments/replay/state_difference.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

template <typename T>
ShapedBuffer Tensor(std::vector<int64_t> shape, std::vector<T>* values) {
  return {std::move(shape), AsBuffer(absl::MakeSpan(*values))};
}

template <typename T>
TensorDifference DifferenceOf(std::vector<int64_t> shape, std::vector<T> a, std::vector<T> b) {
  const auto difference = Compare(Tensor(shape, &a), Tensor(shape, &b));
  CHECK_OK(difference);
  CHECK(difference->has_value());
  return **difference;
}

TEST(TensorDifferenceTest, NamesTheFirstElementAndTheLargest) {
  const TensorDifference difference =
      DifferenceOf<float>({2, 3}, {0, 1, 2, 3, 4, 5}, {0, 1, 2.5, 3, 4, 8});
  EXPECT_EQ(difference.elements, 2);
  EXPECT_EQ(IndexText(difference.first.index), "[0, 2]");
  EXPECT_EQ(difference.first.a, "2 (0x40000000)");
  EXPECT_EQ(difference.first.b, "2.5 (0x40200000)");
  EXPECT_EQ(IndexText(difference.largest.index), "[1, 2]");
  EXPECT_EQ(difference.largest.size, 3);
}

TEST(TensorDifferenceTest, ComparesBitsOfEveryType) {
  std::vector<double> nan = {NAN}, same = {NAN};
  const auto equal = Compare(Tensor({1}, &nan), Tensor({1}, &same));
  ASSERT_TRUE(equal.ok());
  EXPECT_FALSE(equal->has_value());
  EXPECT_EQ(DifferenceOf<double>({1}, {0.0}, {-0.0}).first.b, "-0 (0x8000000000000000)");
  EXPECT_EQ(DifferenceOf<int64_t>({}, {5}, {7}).first.a, "5");
  EXPECT_EQ(DifferenceOf<int32_t>({1}, {5}, {-7}).largest.size, 12);
  EXPECT_EQ(DifferenceOf<uint8_t>({2}, {1, 2}, {1, 255}).first.b, "0xff");
  // What is not a number is farther away than any number.
  const TensorDifference lost = DifferenceOf<float>({3}, {1, 1, 1}, {2, NAN, 1e30f});
  EXPECT_EQ(IndexText(lost.largest.index), "[1]");
}

TEST(TensorDifferenceTest, ShapesAndTypesMustBeEqual) {
  std::vector<float> six(6), two(2);
  std::vector<double> other(6);
  EXPECT_THAT(std::string(Compare(Tensor({2, 3}, &six), Tensor({2}, &two)).status().message()),
              "F32 [2, 3] in A, F32 [2] in B");
  EXPECT_TRUE(absl::IsInvalidArgument(Compare(Tensor({6}, &six), Tensor({6}, &other)).status()));
}

// Writes a checkpoint of these workers, each with a tensor w.
CheckpointDirectory Saved(const std::vector<std::vector<float>>& workers) {
  const CheckpointDirectory directory(NewDirectory());
  CHECK_OK(directory.Begin(3));
  CheckpointManifest manifest;
  manifest.step = 3;
  manifest.workers = static_cast<int>(workers.size());
  for (size_t worker = 0; worker < workers.size(); ++worker) {
    if (workers[worker].empty()) continue;  // away
    std::vector<float> values = workers[worker];
    std::vector<int64_t> bytes = {static_cast<int64_t>(worker), directory.Path(3).size() % 2 == 0};
    const TensorMap tensors = {
        {"parameters/w", Tensor({static_cast<int64_t>(values.size())}, &values)},
        {"totals/bytes", Tensor({2}, &bytes)}};
    const std::string name = WorkerFile(static_cast<int>(worker));
    const auto checksum = WriteSafetensors(directory.Path(3, name), tensors, {});
    CHECK_OK(checksum);
    manifest.checksums[name] = *checksum;
  }
  CHECK_OK(directory.Commit(manifest));
  return directory;
}

TEST(StateDifferenceTest, CountsOverAllWorkers) {
  const auto difference =
      CompareStates(Saved({{1, 2}, {1, 2}, {}, {5, 5}}), Saved({{1, 2}, {1, 7}, {}, {6, 4}}), 3);
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_EQ(difference->workers, 3);
  EXPECT_EQ(difference->differing_workers, 2);
  EXPECT_EQ(difference->tensors, 3);
  EXPECT_EQ(difference->differing_tensors, 2);
  EXPECT_EQ(difference->differing_elements, 3);
  EXPECT_EQ(difference->largest_worker, 1);
  EXPECT_EQ(difference->largest_tensor, "parameters/w");
  EXPECT_EQ(difference->largest.size, 5);
  EXPECT_EQ(TensorText(difference->largest_tensor), "tensor \"w\"");
  EXPECT_EQ(TensorText("optimizer/step"), "tensor \"optimizer/step\"");
}

TEST(StateDifferenceTest, AWorkerThatOnlyOneHasDiffers) {
  const auto difference = CompareStates(Saved({{1}, {2}}), Saved({{1}}), 3);
  ASSERT_TRUE(difference.ok()) << difference.status();
  EXPECT_EQ(difference->workers, 2);
  EXPECT_EQ(difference->differing_workers, 1);
}

class MetricsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Metrics> Read(const std::string& text) {
    CHECK_OK(WriteFileAtomically(directory_ + "/metrics.jsonl", text));
    return ReadMetrics(directory_);
  }

  const std::string directory_ = NewDirectory();
};

TEST_F(MetricsTest, LeavesTimesOut) {
  const auto metrics = Read(
      "{\"step\":2,\"worker\":-1,\"wall_s\":1.5,\"train/loss\":0.5,\"time/step_ms\":3}\n"
      "{\"step\":2,\"worker\":1,\"validation/loss\":null,\"time/sim_seconds\":0.1234567891234}\n");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  ASSERT_EQ(metrics->size(), 3u);
  EXPECT_EQ(metrics->at({2, -1, "train/loss"}), 0.5);
  EXPECT_TRUE(std::isnan(metrics->at({2, 1, "validation/loss"})));
  EXPECT_EQ(metrics->at({2, 1, "time/sim_seconds"}), 0.123456789);
}

TEST_F(MetricsTest, SaysWhichLineIsDamaged) {
  const absl::Status status = Read("{\"step\":2,\"worker\":-1}\n{\"step\":").status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("metrics.jsonl:2: "));
}

const Metrics kMetrics = {{{4, -1, "train/loss"}, 2.0},
                          {{4, -1, "comm/bytes_sent_per_worker"}, 100.0},
                          {{8, -1, "train/loss"}, 1.0},
                          {{8, 1, "eval/loss"}, NAN}};

TEST(CompareMetricsTest, NamesTheFirstDifference) {
  Metrics other = kMetrics;
  EXPECT_FALSE(Compare(kMetrics, other, {}).difference.has_value());
  EXPECT_EQ(Compare(kMetrics, other, {}).values, 4);
  other[{8, -1, "train/loss"}] = 1.25;
  other[{8, 1, "eval/loss"}] = 3;
  const MetricComparison comparison = Compare(kMetrics, other, {});
  ASSERT_TRUE(comparison.difference.has_value());
  EXPECT_EQ(comparison.difference->key.step, 8);
  EXPECT_EQ(comparison.difference->key.name, "train/loss");
  EXPECT_EQ(comparison.difference->b, 1.25);
}

TEST(CompareMetricsTest, TakesTolerance) {
  Metrics other = kMetrics;
  other[{8, -1, "train/loss"}] = 1.25;
  MetricComparisonOptions options;
  options.tolerance = 0.2;
  EXPECT_FALSE(Compare(kMetrics, other, options).difference.has_value());
  EXPECT_DOUBLE_EQ(Compare(kMetrics, other, options).largest, 0.2);
  options.tolerance = 0.19;
  EXPECT_TRUE(Compare(kMetrics, other, options).difference.has_value());
}

TEST(CompareMetricsTest, LooksOnlyWhereItIsAsked) {
  Metrics other = kMetrics;
  other[{4, -1, "comm/bytes_sent_per_worker"}] = 120;
  other[{8, -1, "train/loss"}] = 5;
  other[{6, -1, "consensus/distance"}] = 5;
  MetricComparisonOptions options;
  options.until = 4;
  EXPECT_TRUE(Compare(kMetrics, other, options).difference.has_value());
  EXPECT_FALSE(IsSimulated(kMetrics));
  Metrics simulated = kMetrics;
  simulated[{6, -1, "time/sim_seconds"}] = 1;
  EXPECT_TRUE(IsSimulated(simulated));
  options.costs = false;
  EXPECT_FALSE(Compare(kMetrics, other, options).difference.has_value());
  options.until = 6;
  EXPECT_FALSE(Compare(kMetrics, other, options).difference->a.has_value());
  options.more_in_b = true;
  EXPECT_FALSE(Compare(kMetrics, other, options).difference.has_value());
  options.until = 8;
  EXPECT_TRUE(Compare(kMetrics, other, options).difference.has_value());
  options.windows = false;
  EXPECT_FALSE(Compare(kMetrics, other, options).difference.has_value());
  options.more_in_a = true;
  EXPECT_FALSE(Compare({}, kMetrics, options).difference.has_value());
}

}  // namespace
}  // namespace starling
