#include "experiments/sweep/sweep_directory.h"

#include <filesystem>

#include "absl/status/status.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

class SweepDirectoryTest : public ::testing::Test {
 protected:
  SweepDirectoryTest() {
    sweep_.mutable_base()->set_workers(4);
    EXPECT_EQ(directory_.Begin(sweep_, "build1", false), absl::OkStatus());
  }

  Sweep sweep_;
  const SweepDirectory directory_{NewDirectory()};
};

TEST_F(SweepDirectoryTest, ARunGoesFromPendingToItsOutcome) {
  EXPECT_EQ(directory_.StateOf("a"), RunState::kPending);
  {
    const auto claim = directory_.Claim("a");
    ASSERT_TRUE(claim.ok() && *claim != nullptr);
    EXPECT_EQ(directory_.StateOf("a"), RunState::kRunning);
    const auto second = directory_.Claim("a");
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(*second, nullptr);
    ASSERT_EQ(WriteFileAtomically(directory_.ConfigPath("a"), ""), absl::OkStatus());
  }
  EXPECT_EQ(directory_.StateOf("a"), RunState::kInterrupted);
  ASSERT_EQ(directory_.WriteOutcome("a", {RunState::kFailed, "a \"reason\"", 3}), absl::OkStatus());
  EXPECT_EQ(directory_.StateOf("a"), RunState::kFailed);
  const auto outcome = directory_.ReadOutcome("a");
  ASSERT_TRUE(outcome.ok() && outcome->has_value());
  EXPECT_EQ((*outcome)->reason, "a \"reason\"");
  EXPECT_EQ((*outcome)->attempts, 3);
}

TEST_F(SweepDirectoryTest, AProcessThatStillWritesKeepsOthersOut) {
  std::filesystem::create_directory(directory_.RunPath("a"));
  const auto left_behind = FileLock::Try(directory_.RunPath("a") + "/.lock");
  ASSERT_TRUE(left_behind.ok() && *left_behind != nullptr);
  const auto claim = directory_.Claim("a");
  ASSERT_TRUE(claim.ok());
  EXPECT_EQ(*claim, nullptr);
}

TEST_F(SweepDirectoryTest, ADamagedOutcomeIsTold) {
  ASSERT_EQ(WriteFileAtomically(directory_.File("outcomes/a.json"), "{"), absl::OkStatus());
  EXPECT_EQ(directory_.ReadOutcome("a").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SweepDirectoryTest, IsJoinedByTheSameBaseAndBuildOnly) {
  sweep_.set_seeds(9);
  EXPECT_EQ(directory_.Begin(sweep_, "build1", false), absl::OkStatus());
  const absl::Status other = directory_.Begin(sweep_, "build2", false);
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(other.message(), HasSubstr("begun by build build1, and this is build2"));
  EXPECT_EQ(directory_.Begin(sweep_, "build2", true), absl::OkStatus());
  sweep_.mutable_base()->set_workers(5);
  EXPECT_THAT(directory_.Begin(sweep_, "build2", false).message(),
              HasSubstr("another base; name another directory:\n  workers was 4 and is 5 now"));
}

TEST_F(SweepDirectoryTest, LeavesForeignDirectoriesAlone) {
  const std::string path = NewDirectory();
  ASSERT_EQ(WriteFileAtomically(path + "/thesis.tex", "x"), absl::OkStatus());
  EXPECT_THAT(SweepDirectory(path).Begin(sweep_, "build1", false).message(),
              HasSubstr("holds something that is no sweep"));
}

}  // namespace
}  // namespace starling
