#include "experiments/comparison.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ArmResult Arm(const std::string& name) {
  ArmResult arm;
  arm.name = name;
  arm.config.set_workers(4);
  arm.result.status = RunStatus::kDone;
  arm.result.wall_seconds = 12.34;
  arm.result.consensus_distance = 0.01234;
  arm.result.bytes_sent = 10000000;
  arm.result.evaluated = true;
  arm.result.test.loss = 0.3;
  arm.result.test.worker_loss = {0.4, 0.25, 0.5, 0.375};
  return arm;
}

ArmResult WithAccuracy(ArmResult arm) {
  arm.result.test.accuracy = 0.91254;
  arm.result.test.worker_accuracy = {0.9, 0.75, 0.875, 1};
  return arm;
}

// The rows of the arms, without the two of the heading and the two of explanation.
std::vector<std::string> Rows(const std::vector<ArmResult>& arms) {
  std::vector<std::string> lines = absl::StrSplit(ComparisonTable(arms), '\n');
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_EQ(lines.back(), "");
  return {lines.begin() + 2, lines.end() - 3};
}

std::vector<std::string> Words(const std::string& row) {
  return absl::StrSplit(row, ' ', absl::SkipEmpty());
}

TEST(ComparisonTableTest, ComparesAccuraciesWhereThereAreClasses) {
  const std::vector<ArmResult> arms = {WithAccuracy(Arm("gossip")), WithAccuracy(Arm("allreduce"))};
  const std::vector<std::string> rows = Rows(arms);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(Words(rows[0]), ElementsAre("gossip", "done", "0.9125", "0.7500", "-", "1.0000",
                                          "0.0123", "2.5", "12.3"));
  EXPECT_EQ(rows[0].size(), rows[1].size());
  const std::string table = ComparisonTable(arms);
  EXPECT_THAT(table, HasSubstr(" accuracy "));
  EXPECT_THAT(table, HasSubstr("\nAccuracy is the averaged model's."));
  EXPECT_THAT(table, HasSubstr("nothing about the speed"));
}

TEST(ComparisonTableTest, ComparesLossesOtherwise) {
  EXPECT_THAT(Words(Rows({Arm("a")})[0]),
              ElementsAre("a", "done", "0.3", "0.25", "-", "0.5", "0.0123", "2.5", "12.3"));
  const std::string table = ComparisonTable({Arm("a")});
  EXPECT_THAT(table, HasSubstr(" loss "));
  EXPECT_THAT(table, HasSubstr("\nLoss is the averaged model's."));
}

TEST(ComparisonTableTest, ColumnsStandWhateverTheNumbers) {
  ArmResult large = Arm("large");
  large.result.test.loss = 1.23456e99;
  large.result.test.worker_loss = {1.23456e-99, 1.23456e99, 2, 2};
  large.result.consensus_distance = 1.23456e-99;
  large.result.bytes_sent = 100000000000000;
  large.result.wall_seconds = 1234567.8;
  ArmResult stopped = WithAccuracy(Arm("stopped"));
  stopped.result.status = RunStatus::kInterrupted;
  ArmResult nan = Arm("nan");
  nan.result.status = RunStatus::kDiverged;
  nan.result.evaluated = false;
  nan.result.consensus_distance = std::nan("");
  EXPECT_THAT(Words(Rows({large})[0]), ElementsAre("large", "done", "1.235e+99", "1.2e-99", "-",
                                                   "1.2e+99", "1.23e-99", "2.5e+07", "1234568"));
  EXPECT_THAT(Words(Rows({stopped})[0]), ElementsAre("stopped", "interrupted", "0.9125", "0.7500",
                                                     "-", "1.0000", "0.0123", "2.5", "12.3"));
  EXPECT_THAT(Words(Rows({nan})[0]),
              ElementsAre("nan", "diverged", "-", "-", "nan", "2.5", "12.3"));
}

TEST(ComparisonTableTest, ArmsWithoutClassesBesideOnesWithThem) {
  const std::vector<std::string> rows = Rows({WithAccuracy(Arm("classes")), Arm("none")});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(Words(rows[1]), ElementsAre("none", "done", "-", "-", "0.0123", "2.5", "12.3"));
}

TEST(ComparisonTableTest, ALongNameGetsALineOfItsOwn) {
  const std::vector<std::string> rows =
      Rows({WithAccuracy(Arm("gossip_with_adam")), WithAccuracy(Arm("x"))});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], "gossip_with_adam");
  EXPECT_EQ(Words(rows[1])[0], "done");
  EXPECT_EQ(rows[1].size(), rows[2].size());
}

}  // namespace
}  // namespace starling
