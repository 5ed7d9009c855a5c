#include "experiments/sweep/live_view.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProgressTextTest, CountsAndEstimates) {
  SweepProgress progress;
  progress.total = 27;
  progress.done = 12;
  progress.running = 2;
  progress.failed = 1;
  EXPECT_EQ(ProgressText(progress), "12/27 done, 2 running, 1 failed, 12 left");
  progress.seconds_left = 380;
  EXPECT_EQ(ProgressText(progress), "12/27 done, 2 running, 1 failed, 12 left; about 6 min left");
  EXPECT_EQ(DurationText(7300), "2.0 h");
}

class LiveViewTest : public ::testing::Test {
 protected:
  LiveViewTest() : out_(open_memstream(&text_, &size_)) {}
  ~LiveViewTest() override {
    std::fclose(out_);
    std::free(text_);
  }
  std::string Text() {
    std::fflush(out_);
    return std::string(text_, size_);
  }

  char* text_ = nullptr;
  size_t size_ = 0;
  FILE* out_;
};

TEST_F(LiveViewTest, OnATerminalTheNewReplacesTheOld) {
  LiveView view(out_, /*live=*/true);
  SweepProgress progress;
  progress.total = 20;
  progress.best = "eval_loss 1 (ring, seed 1)";
  progress.runs = std::vector<std::string>(10, std::string(200, 'x'));
  view.Show(progress);
  const std::string shown = Text();
  EXPECT_THAT(shown, HasSubstr("best so far: eval_loss 1 (ring, seed 1)\n"));
  EXPECT_THAT(shown, HasSubstr("  and 2 more\n"));
  EXPECT_THAT(shown, Not(HasSubstr(std::string(80, 'x'))));
  view.Line("done");
  EXPECT_EQ(Text(), shown + "\033[11A\033[Jdone\n");
}

TEST_F(LiveViewTest, ElsewhereOnlyLinesAreWritten) {
  LiveView view(out_, /*live=*/false);
  view.Show({});
  view.Line("done");
  EXPECT_EQ(Text(), "done\n");
}

}  // namespace
}  // namespace starling
