#include "cluster/step_measurements.h"

#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr char kHeader[] = "cluster,gpus,workers_per_node,method,ms\n";

std::string ErrorOf(const std::string& text) {
  return std::string(ParseMeasurements(text, "t.csv").status().message());
}

TEST(StepMeasurementsTest, ReadsColumnsInAnyOrderAndPassesOverOthers) {
  const auto rows = ParseMeasurements(
      "# measured in May\r\nmethod, ms,who,cluster,workers_per_node,gpus\r\n\r\n"
      "aer, 61.7,me,4xA100 new,4,8\r\nallreduce,73,you,4xA100 new,4,8\r\n",
      "t.csv");
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 2);
  EXPECT_EQ((*rows)[0].cluster, "4xA100 new");
  EXPECT_EQ((*rows)[0].method, "aer");
  EXPECT_EQ((*rows)[0].gpus, 8);
  EXPECT_EQ((*rows)[0].workers_per_node, 4);
  EXPECT_EQ((*rows)[0].ms, 61.7);
}

TEST(StepMeasurementsTest, PublishedTableIsWhole) {
  const auto text = ReadFile("cluster/published.csv");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto rows = ParseMeasurements(*text, "published.csv");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 24);
}

TEST(StepMeasurementsTest, MistakesAreAnsweredWithTheirLine) {
  EXPECT_EQ(
      ErrorOf(""),
      "t.csv: no measurements; a line for each, below cluster,gpus,workers_per_node,method,ms");
  EXPECT_EQ(ErrorOf("a,b\n"),
            "t.csv:1: the first line names the columns, \"cluster\" once: "
            "cluster,gpus,workers_per_node,method,ms");
  EXPECT_EQ(ErrorOf(absl::StrCat(kHeader, "x,8,4,aer\n")),
            "t.csv:2: 4 cells, but the header has 5");
  EXPECT_EQ(ErrorOf(absl::StrCat(kHeader, "x,8,4,aer,-3\n")),
            "t.csv:2: ms is \"-3\"; a step takes some milliseconds");
  EXPECT_EQ(ErrorOf(absl::StrCat(kHeader, "x,0,4,aer,3\n")),
            "t.csv:2: gpus is \"0\"; it must be a number from 1");
  EXPECT_EQ(ErrorOf(absl::StrCat(kHeader, "\nx,8,4,allreduces,3\n")),
            "t.csv:3: method is \"allreduces\"; did you mean \"allreduce\"? methods: allreduce, "
            "exp, aer, complete, sgp");
  EXPECT_EQ(ErrorOf(absl::StrCat(kHeader, "x,12,4,exp,3\n")).substr(0, 9), "t.csv:2: ");
}

TEST(StepMeasurementsTest, RowsAreDescribedByTheirColumns) {
  const StepMeasurement row = {"8xT4", 64, 8, "aer", 122.2};
  EXPECT_TRUE(*Matches(row, "gpus:64"));
  EXPECT_FALSE(*Matches(row, "gpus:6"));
  EXPECT_TRUE(*Matches(row, "cluster:8xT4,method:aer"));
  EXPECT_FALSE(*Matches(row, "cluster:8xT4,method:exp"));
  EXPECT_EQ(Matches(row, "n:64").status().message(),
            "\"n:64\" describes no rows; say COLUMN:VALUE, with a column of cluster, gpus, "
            "workers_per_node, method: gpus:64");
}

TEST(StepMeasurementsTest, SgpPushesToOneWorkerPerRound) {
  const auto method = MakeMethod("sgp", 8, 4);
  ASSERT_TRUE(method.ok());
  EXPECT_EQ(method->topology->facts().period, 3);
  for (int64_t t = 0; t < 3; ++t) {
    const auto out = method->topology->Round(t).out(6);
    ASSERT_EQ(out.size(), 2);
    const int other = out[0].to == 6 ? out[1].to : out[0].to;
    EXPECT_EQ(other, (6 + (1 << t)) % 8);
  }
}

}  // namespace
}  // namespace starling
