#include "experiments/columns.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(RowTextTest, PutsTheRightSideAtItsColumn) {
  EXPECT_EQ(RowText("ab", "x y", 10), "  ab      x y\n");
}

TEST(RowTextTest, WrapsAtEightyColumnsBelowTheRightSide) {
  std::string right;
  for (int i = 0; i < 40; ++i) absl::StrAppend(&right, i == 0 ? "" : " ", "word", i);
  const std::string text = RowText("--flag", right, 20);
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  ASSERT_GT(lines.size(), 3u);
  EXPECT_EQ(lines.back(), "");
  lines.pop_back();
  std::string joined;
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_LE(lines[i].size(), 80u) << lines[i];
    EXPECT_EQ(lines[i].substr(0, 20), i == 0 ? "  --flag            " : std::string(20, ' '));
    EXPECT_NE(lines[i][20], ' ');
    absl::StrAppend(&joined, i == 0 ? "" : " ", lines[i].substr(20));
  }
  EXPECT_EQ(joined, right);
}

TEST(RowTextTest, FillsExactlyEightyColumns) {
  const std::string fits(60, 'x');
  EXPECT_EQ(RowText("a", absl::StrCat(fits, " y"), 20),
            absl::StrCat("  a", std::string(17, ' '), fits, "\n", std::string(20, ' '), "y\n"));
}

TEST(RowTextTest, WordsThatAreTooLongStayWhole) {
  // Neither side can be broken, and no empty line comes before either.
  const std::string word(90, 'w');
  EXPECT_EQ(RowText("left side beyond its column", "right", 10),
            "  left side beyond its column right\n");
  EXPECT_EQ(RowText("a", word, 10), absl::StrCat("  a       ", word, "\n"));
}

}  // namespace
}  // namespace starling
