#include "experiments/report/sweep_input.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/run/test_files.h"
#include "experiments/report/report.h"
#include "experiments/report/test_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHeader[] =
    "run_id,status,seed,arm,optimizer.config.lr,eval_accuracy,eval_loss,wall_seconds,"
    "state_digest\n";

std::string Sweep(const std::string& runs_csv) {
  const std::string directory = NewDirectory();
  WriteText(directory + "/runs.csv", runs_csv);
  WriteText(directory + "/sweep.textproto", "base: 1\n");
  WriteText(directory + "/sweep.json",
            R"({"title": "mine", "metric": "eval_accuracy", "larger_is_better": true,)"
            R"( "commands": ["starling sweep"]})");
  return directory;
}

std::string MessageOf(const std::string& directory) {
  const absl::Status status = ReadSweep(directory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  return std::string(status.message());
}

TEST(ReadSweepTest, ReadsRunsWithTheirColumns) {
  const std::string directory = Sweep(absl::StrCat(
      kHeader, "r1,done,1,\"a, b\",0.1,0.9,0.3,12.5,00ff\n", "r2,pending,2,c,0.2,,,,\n"));
  const ReportInput input = *ReadSweep(directory);
  EXPECT_EQ(input.title, "mine");
  EXPECT_EQ(input.metric, "eval_accuracy");
  EXPECT_TRUE(input.larger_is_better);
  EXPECT_EQ(input.config_text, "base: 1\n");
  EXPECT_THAT(input.commands, ElementsAre("starling sweep"));
  EXPECT_THAT(input.columns, ElementsAre("arm", "optimizer.config.lr"));
  ASSERT_EQ(input.runs.size(), 2u);
  EXPECT_THAT(input.runs[0].values, ElementsAre("a, b", "0.1"));
  EXPECT_EQ(input.runs[0].directory, directory + "/runs/r1");
  EXPECT_EQ(input.runs[1].status, "pending");
  EXPECT_EQ(input.runs[1].seed, 2u);
}

TEST(ReadSweepTest, NamesWhatIsWrong) {
  EXPECT_THAT(MessageOf(Sweep("run_id,status\n")),
              HasSubstr("runs.csv: row 1: the header must be run_id,status,seed,<columns>,"
                        "eval_accuracy,eval_loss,wall_seconds,state_digest"));
  EXPECT_THAT(MessageOf(Sweep(absl::StrCat(kHeader, "r1,done,1\n"))),
              HasSubstr("runs.csv: row 2: has 3 fields, the header 9"));
  EXPECT_THAT(MessageOf(Sweep(absl::StrCat(kHeader, "r1,done,x,a,1,,,,\n"))),
              HasSubstr("row 2: \"x\" is no seed; a whole number from 0 on is"));
  EXPECT_THAT(MessageOf(Sweep("\"")), HasSubstr("runs.csv: line 1: a quote is not closed"));
  const std::string directory = Sweep(kHeader);
  WriteText(directory + "/sweep.json", "{}");
  EXPECT_THAT(MessageOf(directory), HasSubstr("sweep.json must hold \"title\", "));
}

TEST(ReadSweepTest, SaysWhichFileIsMissing) {
  const absl::Status status = ReadSweep(NewDirectory()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/runs.csv"));
}

}  // namespace
}  // namespace starling
