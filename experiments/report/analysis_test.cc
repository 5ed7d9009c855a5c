#include "experiments/report/analysis.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/run/test_files.h"
#include "experiments/report/test_runs.h"
#include "experiments/statistics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

// Arms "a" and "b" with seeds 1 to 3; a's losses are lower by 1, 2 and 3 at the first record.
ReportInput TwoArms(const std::string& root) {
  ReportInput input;
  input.title = "two arms";
  input.columns = {"arm"};
  input.metric = "eval_loss";
  for (const std::string arm : {"b", "a"}) {
    for (int seed = 1; seed <= 3; ++seed) {
      const std::string id = absl::StrCat(arm, seed);
      const std::string directory = absl::StrCat(root, "/", id);
      WriteRun(directory, arm == "a" ? 8 : 8 + seed);
      input.runs.push_back({id, "done", static_cast<uint64_t>(seed), {arm}, directory});
    }
  }
  return input;
}

TEST(AnalyzeTest, MakesCombinationsOfSeedsBestFirst) {
  const Analysis analysis = *Analyze(TwoArms(NewDirectory()));
  ASSERT_EQ(analysis.combinations.size(), 2u);
  const Combination& best = analysis.combinations[0];
  EXPECT_EQ(best.label, "a");
  EXPECT_THAT(best.runs, ElementsAre(3, 4, 5));
  EXPECT_EQ(best.score.count, 3);
  EXPECT_EQ(best.score.mean, 4);  // 2 * 8 / 4
  EXPECT_EQ(best.numbers.at("phase_ms/backward"), 60);
  ASSERT_EQ(best.links.size(), 2u);
  EXPECT_EQ(best.links[1].bytes, 3000);
  EXPECT_EQ(analysis.combinations[1].label, "b");
  EXPECT_EQ(analysis.combinations[1].score.mean, 5);
  EXPECT_TRUE(analysis.any_measured);
  EXPECT_FALSE(analysis.any_simulated);
}

TEST(AnalyzeTest, CurvesAreMeansOverSeedsWithIntervals) {
  const Analysis analysis = *Analyze(TwoArms(NewDirectory()));
  for (const CurveGroup& group : analysis.combinations[1].curves) {
    if (group.curves.count("train/loss") == 0) continue;
    EXPECT_THAT(group.step, ElementsAre(10, 20, 30, 40));
    EXPECT_THAT(group.seconds, ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(group.megabytes, ElementsAre(1, 2, 3, 4));
    const Curve& curve = group.curves.at("train/loss");
    EXPECT_EQ(curve.mean[0], 10);  // of 9, 10 and 11
    // t of two degrees of freedom, 4.302653, times 1 / sqrt(3).
    EXPECT_NEAR(curve.half_width[0], 2.484138, 1e-6);
  }
}

TEST(AnalyzeTest, ComparesSeedBySeed) {
  const Analysis analysis = *Analyze(TwoArms(NewDirectory()));
  ASSERT_EQ(analysis.comparisons.size(), 1u);
  const Comparison& only = analysis.comparisons[0];
  EXPECT_EQ(only.a, 0u);
  EXPECT_EQ(only.b, 1u);
  EXPECT_EQ(only.difference.difference.count, 3);
  EXPECT_EQ(only.difference.difference.mean, -1);  // of -0.5, -1 and -1.5
  EXPECT_EQ(*only.p, *only.difference.p);
  EXPECT_FALSE(BestIsDistinguishable(analysis, /*larger_is_better=*/false));  // p = 0.074
}

TEST(AnalyzeTest, BestIsDistinguishableWhereItBeatsAllOthers) {
  ReportInput input = TwoArms(NewDirectory());
  for (int seed = 1; seed <= 3; ++seed) {
    WriteRun(input.runs[seed - 1].directory, 100 + seed);
  }
  EXPECT_TRUE(BestIsDistinguishable(*Analyze(input), false));
  input.runs.resize(3);
  EXPECT_FALSE(BestIsDistinguishable(*Analyze(input), false));  // than what?
}

TEST(AnalyzeTest, LeavesOutAndCountsWhatIsNotDone) {
  ReportInput input = TwoArms(NewDirectory());
  input.runs[0].status = "diverged";
  input.runs[3].directory = "/nonexistent";
  input.runs.push_back({"a4", "pending", 4, {"a"}, "/nonexistent"});
  const Analysis analysis = *Analyze(input);
  EXPECT_EQ(analysis.combinations[0].label, "a");
  EXPECT_EQ(analysis.combinations[0].score.count, 2);
  EXPECT_EQ(analysis.combinations[0].left_out.at("pending"), 1);
  EXPECT_EQ(analysis.combinations[0].left_out.at("without eval_loss"), 1);
  EXPECT_EQ(analysis.combinations[1].left_out.at("diverged"), 1);
  EXPECT_EQ(analysis.combinations[1].score.mean, 5.25);  // of 5 and 5.5
  EXPECT_EQ(*analysis.runs[0].score, 4.5);               // shown all the same
}

TEST(AnalyzeTest, ShowsCurvesOfUnfinishedRunsIfThereAreNoOthers) {
  ReportInput input = TwoArms(NewDirectory());
  for (ReportRun& run : input.runs) {
    if (run.values[0] == "a") run.status = "diverged";
  }
  const Analysis analysis = *Analyze(input);
  EXPECT_EQ(analysis.combinations[1].label, "a");
  EXPECT_TRUE(analysis.combinations[1].unfinished);
  EXPECT_FALSE(analysis.combinations[1].curves.empty());
  EXPECT_EQ(analysis.combinations[1].score.count, 0);
  EXPECT_TRUE(analysis.comparisons.empty());
}

TEST(AnalyzeTest, CurvesEndWhereTheFirstSeedEnds) {
  ReportInput input = TwoArms(NewDirectory());
  WriteRun(input.runs[0].directory, 9, /*records=*/2);
  const Analysis analysis = *Analyze(input);
  for (const CurveGroup& group : analysis.combinations[1].curves) {
    EXPECT_EQ(group.curves.count("validation/loss"), 0u);  // at steps that differ
    EXPECT_THAT(group.step, ElementsAre(10, 20));
  }
}

TEST(AnalyzeTest, ThinsLongCurves) {
  ReportInput input;
  input.title = "long";
  input.metric = "eval_loss";
  const std::string directory = NewDirectory();
  WriteRun(directory, 8, /*records=*/1000);
  input.runs = {{"long", "done", 1, {}, directory}};
  const Analysis analysis = *Analyze(input);
  EXPECT_EQ(analysis.combinations[0].label, "long");
  bool seen = false;
  for (const CurveGroup& group : analysis.combinations[0].curves) {
    if (group.curves.count("train/loss") == 0) continue;
    seen = true;
    EXPECT_EQ(group.step.size(), 300u);
    EXPECT_EQ(group.step.front(), 10);
    EXPECT_EQ(group.step.back(), 10000);
    EXPECT_TRUE(group.curves.at("train/loss").half_width.empty());
  }
  EXPECT_TRUE(seen);
}

TEST(AnalyzeTest, OfManyCombinationsTheBestIsComparedWithEach) {
  ReportInput input;
  input.columns = {"topology.name", "optimizer.config.lr"};
  input.metric = "eval_loss";
  const std::string root = NewDirectory();
  for (int c = 0; c < 9; ++c) {
    for (int seed = 1; seed <= 2; ++seed) {
      const std::string directory = absl::StrCat(root, "/", c, "_", seed);
      WriteRun(directory, 8 + c);
      input.runs.push_back({absl::StrCat(c),
                            "done",
                            static_cast<uint64_t>(seed),
                            {"ring", absl::StrCat("0.", c)},
                            directory});
    }
  }
  const Analysis analysis = *Analyze(input);
  EXPECT_FALSE(analysis.all_pairs);
  EXPECT_EQ(analysis.comparisons.size(), 8u);
  EXPECT_EQ(analysis.combinations[2].label, "ring, lr=0.2");
}

TEST(AnalyzeTest, RunsNeedAValuePerColumn) {
  ReportInput input = TwoArms(NewDirectory());
  input.runs[1].values = {"a", "b"};
  EXPECT_EQ(Analyze(input).status().message(),
            "run b2 has 2 values for 1 columns; each column needs one");
}

}  // namespace
}  // namespace starling
