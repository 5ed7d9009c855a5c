#include "experiments/report/run_record.h"

#include <cmath>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "core/run/test_files.h"
#include "experiments/report/test_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

TEST(RunRecordTest, ReadsMetricsOfTheWorldAndTheSummary) {
  const std::string directory = NewDirectory();
  WriteRun(directory, 8);
  WriteText(directory + "/prediction.json", R"({"cluster":"laptop","step_ms":{"mean":105}})");
  const RunRecord record = *ReadRunRecord(directory);
  EXPECT_EQ(record.metrics.at("train/loss"),
            (std::map<int64_t, double>{{10, 8}, {20, 4}, {30, 2.66667}, {40, 2}}));
  EXPECT_EQ(record.metrics.at("validation/loss"), (std::map<int64_t, double>{{40, 4}}));
  EXPECT_EQ(record.metrics.count("comm/bytes_sent_per_worker"), 0u);
  EXPECT_EQ(record.progress.at(30).seconds, 3);
  EXPECT_EQ(record.progress.at(30).megabytes, 3);
  EXPECT_FALSE(record.simulated);
  EXPECT_EQ(record.numbers.at("eval_loss"), 4);
  EXPECT_EQ(record.numbers.at("step_ms/p50"), 90);
  EXPECT_EQ(record.numbers.at("predicted/step_ms/mean"), 105);
  EXPECT_EQ(record.numbers.at("worker_loss/least"), 1);
  EXPECT_EQ(record.numbers.at("worker_loss/most"), 3);
  EXPECT_EQ(record.numbers.count("eval_accuracy"), 0u);
  EXPECT_EQ(record.state_digest, "00ff");
  ASSERT_EQ(record.links.size(), 2u);
  EXPECT_EQ(record.links[1].bytes, 3000);
  EXPECT_EQ(record.config->workers(), 2);
}

TEST(RunRecordTest, InterpolatesSimulatedSecondsAndBytes) {
  const std::string directory = NewDirectory();
  WriteText(directory + "/metrics.jsonl",
            R"({"step":5,"worker":-1,"wall_s":0.5,"consensus/distance":0.9})"
            "\n"
            R"({"step":10,"worker":-1,"wall_s":1,"train/loss":3,"time/sim_seconds":100,)"
            R"("comm/bytes_sent_per_worker":2e6})"
            "\n"
            R"({"step":15,"worker":-1,"wall_s":2,"consensus/distance":0.5})"
            "\n"
            R"({"step":20,"worker":-1,"wall_s":3,"train/loss":null,"time/sim_seconds":300,)"
            R"("comm/bytes_sent_per_worker":4e6})"
            "\n"
            R"({"step":20,"worker":-1,"wall_s":3,"tr)");  // killed here
  const RunRecord record = *ReadRunRecord(directory);
  EXPECT_TRUE(record.simulated);
  EXPECT_EQ(record.progress.at(5).seconds, 50);
  EXPECT_EQ(record.progress.at(5).megabytes, 1);
  EXPECT_EQ(record.progress.at(15).seconds, 200);
  EXPECT_EQ(record.progress.at(15).megabytes, 3);
  EXPECT_TRUE(std::isnan(record.metrics.at("train/loss").at(20)));
  EXPECT_EQ(record.metrics.count("time/sim_seconds"), 0u);
}

TEST(RunRecordTest, IsEmptyWhereNothingIs) {
  const RunRecord record = *ReadRunRecord("/nonexistent/run");
  EXPECT_TRUE(record.metrics.empty());
  EXPECT_TRUE(record.numbers.empty());
  EXPECT_FALSE(record.config.has_value());
}

TEST(RunRecordTest, NamesAFileThatNoRunWrote) {
  const std::string directory = NewDirectory();
  WriteText(directory + "/summary.json", "[]");
  const absl::Status status = ReadRunRecord(directory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(directory + "/summary.json was not written by a run: "));
}

TEST(ValueOfTest, IsOfTheSummaryOrTheLastThatIsFinite) {
  RunRecord record;
  record.numbers["eval_loss"] = 2;
  record.metrics["validation/loss"] = {{1, 4.0}, {2, 3.0}, {3, NAN}};
  record.metrics["train/loss"] = {{1, NAN}};
  EXPECT_EQ(ValueOf(record, "eval_loss"), 2);
  EXPECT_EQ(ValueOf(record, "validation/loss"), 3);
  EXPECT_FALSE(ValueOf(record, "train/loss").has_value());
  EXPECT_FALSE(ValueOf(record, "eval_bleu").has_value());
}

}  // namespace
}  // namespace starling
