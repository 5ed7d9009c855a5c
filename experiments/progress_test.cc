#include "experiments/progress.h"

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "experiments/monitor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Columns on a terminal: characters, not bytes.
int Columns(const std::string& line) {
  int columns = 0;
  for (unsigned char c : line) columns += (c & 0xc0) != 0x80;
  return columns;
}

ProgressLine Line(int64_t step, int64_t steps) {
  ProgressLine line;
  line.step = step;
  line.steps = steps;
  line.loss = 0.4321;
  line.lr = 1e-3;
  line.samples_per_second = 12345;
  line.ms_per_step = 20.5;
  line.wait_ms_per_step = 1.5;
  line.consensus_distance = 0.0123;
  return line;
}

Evaluation WithClasses() {
  Evaluation evaluation;
  evaluation.loss = 0.25;
  evaluation.accuracy = 0.9125;
  evaluation.worker_loss = {0.5, 0.25, 1};
  evaluation.worker_accuracy = {0.75, 0.875, 0.5};
  return evaluation;
}

// What a Progress has written to its file.
class Output {
 public:
  Output() : file_(std::tmpfile()) {}
  ~Output() { std::fclose(file_); }
  FILE* file() const { return file_; }

  std::string text() const {
    std::string text(std::ftell(file_), '\0');
    std::rewind(file_);
    EXPECT_EQ(std::fread(&text[0], 1, text.size(), file_), text.size());
    return text;
  }

 private:
  FILE* file_;
};

TEST(StepTextTest, ShowsEveryNumberAndABar) {
  const std::string numbers =
      "30/40 loss 0.4321 lr 0.001 12345/s 20.5 ms/step wait 1.5 consensus 0.012";
  EXPECT_EQ(StepText(Line(30, 40), /*with_bar=*/false), numbers);
  EXPECT_EQ(StepText(Line(30, 40), /*with_bar=*/true), "████░░ " + numbers);
  EXPECT_TRUE(absl::StartsWith(StepText(Line(0, 40), true), "░░░░"));
  EXPECT_TRUE(absl::StartsWith(StepText(Line(40, 40), true), "██████"));
}

TEST(StepTextTest, FitsTheTerminalWhateverTheNumbers) {
  ProgressLine large = Line(999999999, 1000000000);
  large.loss = 1e200;
  large.samples_per_second = 1e12;
  large.ms_per_step = 1e9;
  ProgressLine nan = Line(1, 2);
  nan.loss = nan.consensus_distance = std::nan("");
  for (const ProgressLine& line : {Line(12345, 75000), Line(1234567, 7500000), large, nan}) {
    for (bool with_bar : {false, true}) {
      EXPECT_LE(Columns(StepText(line, with_bar)), 80) << StepText(line, with_bar);
    }
  }
  EXPECT_THAT(StepText(nan, false), HasSubstr("loss nan"));
}

TEST(StepTextTest, ShowsTimeAloneWhereThereIsNoLoss) {
  ProgressLine line = Line(7, 20);
  line.loss.reset();
  EXPECT_EQ(StepText(line, false), "7/20 12345/s 20.5 ms/step wait 1.5");
}

TEST(EvaluationTextTest, ShowsTheAveragedModelAndTheSpread) {
  EXPECT_EQ(EvaluationText(40, Split::kTest, WithClasses(), 0.0125),
            "test at step 40: averaged model 0.9125 (loss 0.25),\n"
            "  over the workers 0.5000-0.8750, consensus distance 0.0125");
}

TEST(EvaluationTextTest, ShowsNoSpreadOfWorkersThatWereNotEvaluated) {
  Evaluation evaluation = WithClasses();
  evaluation.worker_accuracy.clear();
  evaluation.worker_loss.clear();
  EXPECT_EQ(EvaluationText(40, Split::kTest, evaluation, 0.0125),
            "test at step 40: averaged model 0.9125 (loss 0.25),\n"
            "  consensus distance 0.0125");
}

TEST(EvaluationTextTest, ShowsLossesWhereThereAreNoClasses) {
  Evaluation evaluation = WithClasses();
  evaluation.accuracy.reset();
  evaluation.worker_accuracy.clear();
  EXPECT_EQ(EvaluationText(7, Split::kValidation, evaluation, 3),
            "validation at step 7: averaged model loss 0.25,\n"
            "  over the workers 0.25-1, consensus distance 3");
  evaluation.perplexity = 1.2840254;
  EXPECT_EQ(EvaluationText(7, Split::kValidation, evaluation, 3),
            "validation at step 7: averaged model loss 0.25 (ppl 1.284),\n"
            "  over the workers 0.25-1, consensus distance 3");
}

TEST(EvaluationTextTest, FitsTheTerminalWhateverTheNumbers) {
  Evaluation classes = WithClasses();
  classes.loss = 1.23456789e200;
  Evaluation losses = classes;
  losses.accuracy.reset();
  losses.worker_loss = {1.23456789e-200, 1.23456789e200};
  losses.perplexity = 1.23456789e200;
  for (const Evaluation& evaluation : {classes, losses}) {
    const std::string text = EvaluationText(1000000000, Split::kValidation, evaluation, 1.234e-200);
    for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST(ProgressTest, PlainLinesAreFewButTheLastStepIsAlwaysThere) {
  const Output output;
  Progress progress(output.file(), /*live=*/false);
  for (int step = 1; step <= 4; ++step) progress.Step(Line(step, 4));
  progress.Finish();
  // Nothing for a terminal only: no colours, nothing that overwrites.
  EXPECT_EQ(output.text(), StepText(Line(1, 4), false) + "\n" + StepText(Line(4, 4), false) + "\n");
}

TEST(ProgressTest, TheLiveLineOverwritesItselfAndEndsBeforeOtherOutput) {
  const Output output;
  Progress progress(output.file(), /*live=*/true);
  progress.Step(Line(1, 2));
  progress.Step(Line(2, 2));
  progress.Evaluated(2, Split::kTest, WithClasses(), 0.5);
  progress.Finish();  // nothing is open any more
  const std::string overwrite = "\r\033[K";
  EXPECT_EQ(output.text(), overwrite + StepText(Line(1, 2), true) + overwrite +
                               StepText(Line(2, 2), true) + "\n" +
                               EvaluationText(2, Split::kTest, WithClasses(), 0.5) + "\n");
}

TEST(ProgressTest, FinishEndsAnOpenLineOnce) {
  const Output output;
  Progress progress(output.file(), /*live=*/true);
  progress.Finish();
  progress.Step(Line(1, 2));
  progress.Finish();
  progress.Finish();
  EXPECT_EQ(output.text(), "\r\033[K" + StepText(Line(1, 2), true) + "\n");
}

}  // namespace
}  // namespace starling
