#include "experiments/predict_text.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

PredictedRow Row(const std::string& topology, const std::string& algorithm, double ms) {
  PredictedRow row;
  row.topology = topology;
  row.algorithm = algorithm;
  row.step.mean_ms = ms;
  row.step.p99_ms = ms + 10;
  row.step.exposed_ms = ms - 100;
  row.step.low_ms = ms - 2;
  row.step.high_ms = ms + 2;
  row.step.regime = ms > 105 ? Regime::kCommunicationBound : Regime::kComputeBound;
  row.speedup = 150 / ms;
  return row;
}

PredictionTable Table() {
  PredictionTable table;
  table.all_reduce = Row("none", "allreduce", 150).step;
  table.bound_ms = 100;
  table.most_speedup = 1.5;
  table.rows = {Row("ring", "gossip", 100), Row("ring", "qg", 120), Row("ring", "d2", 120),
                Row("none", "allreduce", 150)};
  return table;
}

TEST(PredictionText, ATableOfEightyColumns) {
  PredictionInput input;
  input.cluster.set_name("made_up");
  input.cluster.set_source(
      "figures of nobody, for a test whose lines are long enough to be wrapped");
  input.cluster.set_workers_per_node(4);
  input.model.set_name("small");
  input.model.add_bucket()->set_mb(25);
  input.workers = 8;
  input.notes = {"assumed"};
  const std::string text = PredictionText(
      input, Table(), {"algorithm d2 over star: it needs weights that are symmetric"});
  for (const absl::string_view line : absl::StrSplit(text, '\n'))
    EXPECT_LE(line.size(), 80u) << line;
  EXPECT_TRUE(absl::StartsWith(text, "made_up: 8 workers on 2 machines\n")) << text;
  EXPECT_TRUE(absl::StrContains(
      text,
      "   allreduce\n"
      "none                   150.0+-2.0    160.0     50.0  communication   1.000     -\n"
      "   gossip\n"
      "ring                   100.0+-2.0    110.0      0.0  compute         1.500  +50%\n"
      "   qg, d2\n"
      "ring                   120.0+-2.0    130.0     20.0  communication   1.250  +25%\n"))
      << text;
  EXPECT_TRUE(absl::StrContains(text, "speedup over All-Reduce (150.0 ms) is at most 1.500."));
  EXPECT_TRUE(absl::StrContains(text, "left out\n"));
}

TEST(PredictionJson, Fields) {
  const auto rows = nlohmann::json::parse(PredictionJson(Table()));
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[1]["topology"], "ring");
  EXPECT_EQ(rows[1]["algorithm"], "qg");
  EXPECT_EQ(rows[1]["step_ms"], 120);
  EXPECT_EQ(rows[1]["p99_ms"], 130);
  EXPECT_EQ(rows[1]["exposed_ms"], 20);
  EXPECT_EQ(rows[1]["regime"], "communication-bound");
  EXPECT_EQ(rows[1]["speedup"], 1.25);
  EXPECT_EQ(rows[1].size(), 7u);
}

}  // namespace
}  // namespace starling
