#include "experiments/sweep/results.h"

#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ResultsTest : public ::testing::Test {
 protected:
  ResultsTest() {
    sweep_.set_metric("eval_loss");
    sweep_.set_seeds(2);
    sweep_.mutable_base();
    EXPECT_EQ(directory_.Begin(sweep_, "build", false), absl::OkStatus());
    expansion_.columns = {"arm", "optimizer.config.lr"};
    for (const char* arm : {"plain", "with, comma"}) {
      expansion_.combinations.push_back({{arm, "0.1"}, {}, {}});
    }
    for (int i = 0; i < 4; ++i) {
      SweepRun run;
      run.id = absl::StrCat("run", i);
      run.combination = i / 2;
      run.seed = static_cast<uint64_t>(1 + i % 2);
      expansion_.runs.push_back(run);
      std::filesystem::create_directories(directory_.RunPath(run.id));
      EXPECT_EQ(WriteFileAtomically(directory_.ConfigPath(run.id), ""), absl::OkStatus());
    }
  }

  void Finish(int run, double loss) {
    const std::string id = expansion_.runs[run].id;
    Write(id, "summary.json",
          absl::StrCat(R"({"eval_loss":)", loss,
                       R"(,"eval_accuracy":null,"wall_seconds":2,"state_digest":"00ff"})"));
    ASSERT_EQ(directory_.WriteOutcome(id, {RunState::kDone, "", 1}), absl::OkStatus());
  }
  void Write(const std::string& id, const std::string& name, const std::string& text) {
    ASSERT_EQ(WriteFileAtomically(directory_.RunPath(id) + "/" + name, text), absl::OkStatus());
  }
  std::vector<RunResultRow> Rows() { return ReadResults(directory_, expansion_, "eval_loss"); }

  Sweep sweep_;
  Expansion expansion_;
  const SweepDirectory directory_{NewDirectory()};
};

TEST_F(ResultsTest, RunsCsvHasOneRowPerRunAndQuotes) {
  Finish(2, 0.5);
  EXPECT_EQ(RunsCsv(expansion_, Rows()),
            "run_id,status,seed,arm,optimizer.config.lr,eval_accuracy,eval_loss,wall_seconds,"
            "state_digest\n"
            "run0,interrupted,1,plain,0.1,,,,\n"
            "run1,interrupted,2,plain,0.1,,,,\n"
            "run2,done,1,\"with, comma\",0.1,,0.5,2,00ff\n"
            "run3,interrupted,2,\"with, comma\",0.1,,,,\n");
}

TEST_F(ResultsTest, SummaryHasMeanAndIntervalOverSeeds) {
  Finish(0, 1);
  Finish(1, 3);
  Finish(2, 5);
  ASSERT_EQ(directory_.WriteOutcome("run3", {RunState::kFailed, "why", 1}), absl::OkStatus());
  // t(0.975, 1) = 12.7062 times the standard error, 1.
  const std::string csv = SummaryCsv(sweep_, expansion_, Rows());
  EXPECT_THAT(csv, StartsWith("arm,optimizer.config.lr,n,failed,eval_loss_mean,eval_loss_low,"
                              "eval_loss_high,wall_seconds_mean"));
  EXPECT_THAT(csv, HasSubstr("\nplain,0.1,2,0,2,-10.706"));
  EXPECT_THAT(csv, HasSubstr("\n\"with, comma\",0.1,1,1,5,,,2,"));
}

TEST_F(ResultsTest, TextSaysWhatCannotBeTold) {
  Finish(0, 1);
  Finish(1, 3);
  Finish(2, 1.5);
  Finish(3, 2.5);
  const std::string text = ResultsText(sweep_, expansion_, Rows());
  EXPECT_THAT(text, HasSubstr("eval_loss (smaller is better)"));
  EXPECT_THAT(text, HasSubstr("not distinguishable"));
  EXPECT_EQ(LeftText(Rows()), "");
}

TEST_F(ResultsTest, LeftTextNamesTheFlag) {
  Finish(0, 1);
  ASSERT_EQ(directory_.WriteOutcome("run3", {RunState::kFailed, "why", 1}), absl::OkStatus());
  EXPECT_EQ(LeftText(Rows()),
            "1 failed: --retry_failed runs them again\n"
            "2 interrupted: --resume goes on with them\n");
}

TEST_F(ResultsTest, MetricsOfARunAreThoseOfTheWholeWorld) {
  Write("run0", "metrics.jsonl",
        "{\"step\":10,\"worker\":-1,\"validation/loss\":3}\n"
        "{\"step\":20,\"worker\":-1,\"validation/loss\":2}\n"
        "{\"step\":20,\"worker\":0,\"validation/loss\":9}\n"
        "{\"step\":30,\"worker\":-1,\"validation/lo");
  const std::string path = directory_.RunPath("run0");
  EXPECT_EQ(ReadMetric(path, "validation/loss"), 2);
  EXPECT_EQ(ReadMetricAt(path, "validation/loss", 11), 2);
  EXPECT_EQ(ReadMetricAt(path, "validation/loss", 21), std::nullopt);
  EXPECT_EQ(ReadMetric(path, "eval_loss"), std::nullopt);
}

TEST_F(ResultsTest, ProgressIsTheLastLossThatIsWritten) {
  const std::string path = directory_.RunPath("run0");
  EXPECT_EQ(ReadProgress(path), "");
  std::string lines;
  for (int step = 1; step <= 500; ++step) {
    absl::StrAppend(&lines, R"({"step":)", step, R"(,"worker":-1,"train/loss":0.25})", "\n");
  }
  Write("run0", "metrics.jsonl", absl::StrCat(lines, "{\"step\":501,\"wor"));
  EXPECT_EQ(ReadProgress(path), "step 500, loss 0.25");
}

TEST_F(ResultsTest, ADivergedRunHasNoMetric) {
  Write("run0", "summary.json", R"({"eval_loss":null})");
  ASSERT_EQ(directory_.WriteOutcome("run0", {RunState::kDiverged, "", 1}), absl::OkStatus());
  EXPECT_EQ(Rows()[0].metric, std::nullopt);
  EXPECT_THAT(SummaryCsv(sweep_, expansion_, Rows()), HasSubstr("plain,0.1,0,0,,,\n"));
}

}  // namespace
}  // namespace starling
