#include "data/partition.h"

#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(FingerprintTest, TellsAssignmentsApart) {
  const Assignment a{false, {{0, 1}, {2}}};
  EXPECT_EQ(Fingerprint(a), Fingerprint(Assignment{false, {{0, 1}, {2}}}));
  EXPECT_NE(Fingerprint(a), Fingerprint(Assignment{false, {{0}, {1, 2}}}));
  EXPECT_NE(Fingerprint(a), Fingerprint(Assignment{false, {{2}, {0, 1}}}));
  EXPECT_NE(Fingerprint(a), Fingerprint(Assignment{true, {}}));
}

TEST(FingerprintTest, IsPartOfRunRecordsAndMustNotChange) {
  EXPECT_EQ(Fingerprint(Assignment{false, {{0, 1}, {2}}}), 1334942890395560372u);
  EXPECT_EQ(Fingerprint(Assignment{true, {}}), 18214451205065178194u);
}

TEST(ClassTableTest, CountsClassesPerWorker) {
  const std::vector<int32_t> labels = {0, 1, 1, 2, 2, 2};
  const Assignment assignment{false, {{0, 3, 4}, {1, 2, 5}}};
  EXPECT_EQ(ClassTable(assignment, labels, 3, 10),
            "worker  examples 0 1 2\n"
            "     0         3 1 0 2\n"
            "     1         3 0 2 1\n");
}

TEST(ClassTableTest, SaysHowManyWorkersItLeavesOut) {
  const std::vector<int32_t> labels = {0, 0, 0, 0};
  const Assignment assignment{false, {{0}, {1}, {2}, {3}}};
  const std::string table = ClassTable(assignment, labels, 1, 1);
  EXPECT_THAT(absl::StrSplit(table, '\n'), ElementsAre("worker  examples 0", "     0         1 1",
                                                       "   ... and 3 more workers", ""));
}

TEST(ClassTableTest, SumsClassesThatDoNotFitInto80Columns) {
  std::vector<int32_t> labels(1000);
  for (int i = 0; i < 1000; ++i) labels[i] = i % 100;
  Assignment assignment{false, {std::vector<int64_t>(1000)}};
  std::iota(assignment.owned[0].begin(), assignment.owned[0].end(), 0);
  const std::string table = ClassTable(assignment, labels, 100, 10);
  for (absl::string_view line : absl::StrSplit(table, '\n')) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(table, HasSubstr(" 16 17  others\n"));
  EXPECT_THAT(table, HasSubstr(" 10 10     820\n"));
}

TEST(ClassTableTest, IsEmptyWhereThereIsNothingToCount) {
  EXPECT_EQ(ClassTable(Assignment{true, {}}, {0, 1}, 2, 10), "");
  EXPECT_EQ(ClassTable(Assignment{false, {{0}}}, {}, 0, 10), "");
}

TEST(ExamplesByClassTest, ListsIdsInOrder) {
  EXPECT_THAT(ExamplesByClass({1, 0, 1, 3}, 4),
              ElementsAre(ElementsAre(1), ElementsAre(0, 2), ElementsAre(), ElementsAre(3)));
}

TEST(CheckHasLabelsTest, NamesThePartitionAndAnotherOne) {
  Partition::Context context;
  context.examples = 1;
  const absl::Status status = CheckHasLabels(context, "shards");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "partition \"shards\" divides the examples by their labels, and this data set has "
            "none; partition \"iid\" needs none");
  const std::vector<int32_t> labels = {0};
  context.labels = labels;
  EXPECT_TRUE(CheckHasLabels(context, "shards").ok());
}

}  // namespace
}  // namespace starling
