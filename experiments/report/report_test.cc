#include "experiments/report/report.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "experiments/report/analysis.h"
#include "experiments/report/figures.h"
#include "experiments/report/network.h"
#include "experiments/report/page.h"
#include "experiments/report/test_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Two arms of two seeds; losses of "local_sgd" are lower by `margin`, give or take 0.1.
ReportInput TwoArms(const std::string& root, double margin) {
  ReportInput input;
  input.title = "a </script> title";
  input.columns = {"arm"};
  input.metric = "eval_loss";
  input.config_text = "name: \"x\"  # </script><b>\n";
  input.commands = {"starling sweep --config=x.textproto"};
  for (const std::string arm : {"gossip", "local_sgd"}) {
    for (int seed = 1; seed <= 2; ++seed) {
      const std::string directory = absl::StrCat(root, "/", arm, seed);
      WriteRun(directory, arm == "gossip" ? 8 : 8 - margin + 0.08 * seed);
      input.runs.push_back(
          {absl::StrCat(arm, "_", seed), "done", static_cast<uint64_t>(seed), {arm}, directory});
    }
  }
  return input;
}

TEST(PageTest, HoldsTheDataAndNothingThatEndsItEarly) {
  const ReportInput input = TwoArms(NewDirectory(), 1);
  const Analysis analysis = *Analyze(input);
  const std::string text = PageJson(input, analysis);
  EXPECT_THAT(text, Not(HasSubstr("<")));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["config"], input.config_text);
  EXPECT_EQ(json["runs"].size(), 4u);
  EXPECT_EQ(json["runs"][0]["numbers"]["worker_loss/most"], 3);
  EXPECT_EQ(json["combinations"][0]["label"], "local_sgd");
  EXPECT_EQ(json["combinations"][0]["links"]["bytes"],
            nlohmann::json::parse("[[0, 1000], [3000, 0]]"));
  const std::string page = PageHtml(input, analysis);
  EXPECT_THAT(page, HasSubstr("<title>a &lt;/script&gt; title</title>"));
  EXPECT_THAT(page, HasSubstr("The above copyright notice and this permission notice"));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));  // nothing is fetched
}

TEST(FiguresTest, AreCurvesARankingAndATable) {
  const ReportInput input = TwoArms(NewDirectory(), 1);
  std::vector<std::string> names;
  for (const NamedText& figure : Figures(input, *Analyze(input))) names.push_back(figure.name);
  // Validated once only: that is no curve.
  EXPECT_THAT(names, ::testing::ElementsAre(
                         "train_loss_over_steps.svg", "train_loss_over_steps.csv",
                         "train_loss_over_seconds.svg", "train_loss_over_seconds.csv",
                         "train_loss_over_megabytes.svg", "train_loss_over_megabytes.csv",
                         "ranking.svg", "ranking.csv", "results.tex"));
}

TEST(ResultsTexTest, EmphasizesWhatIsDistinguishable) {
  const ReportInput input = TwoArms(NewDirectory(), 6);
  EXPECT_EQ(
      ResultsTex(input, *Analyze(input)),
      "% Needs \\usepackage{booktabs}. Mean over seeds and 95 % interval (Student's t); bold: "
      "better than\n% every other row (paired t tests, Holm's correction).\n"
      "\\begin{tabular}{lrrrr}\n\\toprule\n"
      "arm & eval\\_loss & seeds & s & MB per worker \\\\\n\\midrule\n"
      "local\\_sgd & $\\mathbf{1.06} \\pm 0.25$ & 2 & 4 & 4 \\\\\n"
      "gossip & $4.0000 \\pm 0.0000$ & 2 & 4 & 4 \\\\\n"
      "\\bottomrule\n\\end{tabular}\n");
}

TEST(ResultsTexTest, EmphasizesNothingElse) {
  const ReportInput input = TwoArms(NewDirectory(), 0.2);
  const std::string tex = ResultsTex(input, *Analyze(input));
  EXPECT_THAT(tex, Not(HasSubstr("mathbf")));
  EXPECT_THAT(tex, HasSubstr("no row is\n% better than every other one"));
}

TEST(LinksJsonTest, LargeWorldsComeInBlocks) {
  const auto json = LinksJson({{0, 64, 10}, {1, 65, 5}, {64, 0, 1}});
  EXPECT_EQ(json["block"], 3);  // 66 workers in at most 32 blocks
  EXPECT_EQ(json["size"], 22);
  EXPECT_EQ(json["bytes"][0][21], 15);
  EXPECT_EQ(json["bytes"][21][0], 1);
}

TEST(WriteReportTest, ReplacesAnEarlierReport) {
  const std::string root = NewDirectory();
  const ReportInput input = TwoArms(root, 1);
  WriteText(root + "/figures/of_another_metric.svg", "old");
  CHECK_OK(WriteReport(input, root));
  EXPECT_TRUE(std::filesystem::exists(root + "/report.html"));
  EXPECT_TRUE(std::filesystem::exists(root + "/figures/results.tex"));
  EXPECT_FALSE(std::filesystem::exists(root + "/figures/of_another_metric.svg"));
}

TEST(WriteReportTest, TwoHundredRunsFitIntoFiveMegabytes) {
  for (const int seeds : {1, 5}) {
    const std::string root = NewDirectory();
    ReportInput input;
    input.title = "large";
    input.columns = {"arm", "optimizer.config.lr"};
    input.metric = "eval_loss";
    for (int r = 0; r < 200; ++r) {
      const std::string directory = absl::StrCat(root, "/runs/", r);
      WriteRun(directory, 5 + 0.0137 * r, /*records=*/400);
      // A dozen metrics beside the loss, digits that do not repeat.
      std::string metrics = *ReadFile(directory + "/metrics.jsonl");
      for (int i = 1; i <= 400; ++i) {
        absl::StrAppend(&metrics, "{\"step\":", 10 * i, ",\"worker\":-1,\"wall_s\":", i);
        for (int m = 0; m < 12; ++m) {
          absl::StrAppend(&metrics, ",\"time/m", m, "\":", (r + 1) * 0.12345 / (i + m));
        }
        absl::StrAppend(&metrics, "}\n");
      }
      WriteText(directory + "/metrics.jsonl", metrics);
      input.runs.push_back({absl::StrCat("run_", r),
                            "done",
                            static_cast<uint64_t>(r % seeds),
                            {"gossip", absl::StrCat(r / seeds)},
                            directory});
    }
    CHECK_OK(WriteReport(input, root));
    EXPECT_LT(std::filesystem::file_size(root + "/report.html"), 5e6) << seeds;
  }
}

}  // namespace
}  // namespace starling
