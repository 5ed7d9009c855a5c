#include "experiments/csv.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(CsvTest, QuotesWhatNeedsIt) {
  EXPECT_EQ(CsvRow({"a", "b c", ""}), "a,b c,\n");
  EXPECT_EQ(CsvRow({"a,b", "say \"x\"", "two\nlines"}),
            "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\n");
}

TEST(CsvTest, ReadsWhatItWrites) {
  const Rows rows = {{"a,b", "say \"x\"", "two\nlines"}, {"", "", ""}, {"1", "", "\r"}};
  std::string text;
  for (const auto& row : rows) text += CsvRow(row);
  EXPECT_EQ(*ParseCsv(text), rows);
}

TEST(CsvTest, TakesOtherLineEndsAndNone) {
  EXPECT_EQ(*ParseCsv("a,b\r\n1,2"), (Rows{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(*ParseCsv("a,\n\nb,"), (Rows{{"a", ""}, {"b", ""}}));
  EXPECT_TRUE(ParseCsv("")->empty());
}

TEST(CsvTest, NamesTheLineOfAMistake) {
  EXPECT_EQ(ParseCsv("a\n\"b").status().message(), "line 2: a quote is not closed");
  EXPECT_EQ(ParseCsv("\"b\"c\n").status().message(),
            "line 1: a comma must follow a closing quote, not \"c\"");
}

}  // namespace
}  // namespace starling
