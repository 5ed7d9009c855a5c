#include "experiments/report/run_input.h"

#include <filesystem>
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

TEST(ReadRunTest, OneRunIsOneCombination) {
  const std::string directory = NewDirectory();
  WriteRun(directory, 8);
  WriteText(directory + "/command.txt", "starling train --config=tiny.textproto\n");
  const ReportInput input = *ReadRun(directory + "/");
  EXPECT_EQ(input.title, "tiny");
  EXPECT_TRUE(input.columns.empty());
  EXPECT_EQ(input.metric, "eval_loss");
  EXPECT_FALSE(input.larger_is_better);
  ASSERT_EQ(input.runs.size(), 1u);
  EXPECT_EQ(input.runs[0].status, "done");
  EXPECT_EQ(input.runs[0].seed, 1u);
  EXPECT_EQ(input.runs[0].id, std::filesystem::path(directory).filename());
  EXPECT_EQ(input.config_text, "name: \"tiny\" workers: 2 seed: 1\n");
  EXPECT_THAT(input.commands, ElementsAre("starling train --config=tiny.textproto"));
}

TEST(ReadRunTest, ArmsAreCombinations) {
  const std::string root = NewDirectory();
  for (const std::string arm : {"gossip", "allreduce"}) WriteRun(absl::StrCat(root, "/", arm), 8);
  std::filesystem::create_directories(root + "/figures");
  WriteText(root + "/config.textproto", "all arms\n");
  const ReportInput input = *ReadRun(root);
  EXPECT_THAT(input.columns, ElementsAre("arm"));
  ASSERT_EQ(input.runs.size(), 2u);
  EXPECT_THAT(input.runs[0].values, ElementsAre("allreduce"));
  EXPECT_THAT(input.runs[1].values, ElementsAre("gossip"));
  EXPECT_EQ(input.config_text, "all arms\n");
}

TEST(ReadRunTest, ARunUnderWayIsRankedByItsTrainingLoss) {
  const std::string directory = NewDirectory();
  WriteRun(directory, 8);
  std::filesystem::remove(directory + "/summary.json");
  WriteText(directory + "/STATUS", "running\n");
  const ReportInput input = *ReadRun(directory);
  EXPECT_EQ(input.metric, "train/loss");
  EXPECT_EQ(input.runs[0].status, "running");
}

TEST(ReadRunTest, SaysThatThereIsNoRun) {
  const std::string directory = NewDirectory();
  const absl::Status status = ReadRun(directory).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), absl::StrCat(directory,
                                           " holds no run: there is no config.textproto in it, "
                                           "nor in a directory below"));
}

}  // namespace
}  // namespace starling
