#include "experiments/report/line_chart.h"

#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LineChart TwoSeries() {
  return {"steps",
          "loss",
          {{"with a band", {0, 10}, {2, 1}, {0.5, 0.25}}, {"a <b> & c", {0, 10}, {1.5, 1.2}, {}}}};
}

TEST(LineChartTest, CsvHasARowPerPoint) {
  EXPECT_EQ(LineChartCsv(TwoSeries()),
            "series,x,mean,low,high\n"
            "with a band,0,2,1.5,2.5\n"
            "with a band,10,1,0.75,1.25\n"
            "a <b> & c,0,1.5,,\n"
            "a <b> & c,10,1.2,,\n");
}

TEST(LineChartTest, DrawsLinesBandsAndLabels) {
  const std::string svg = LineChartSvg(TwoSeries());
  // The plot is 420 x 260 at 66, 16 and goes from 0.75 to 2.5: 2.5 is on top, 0.75 at the bottom.
  EXPECT_THAT(svg, HasSubstr("points=\"66.0,16.0 486.0,201.7 486.0,276.0 66.0,164.6\""));
  EXPECT_THAT(svg, HasSubstr("points=\"66.0,90.3 486.0,238.9\""));
  EXPECT_THAT(svg, HasSubstr("a &lt;b&gt; &amp; c"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChartTest, IsLogarithmicWhereMeansDifferALot) {
  // Half way down a decade is its square root.
  const LineChart chart{"", "", {{"a", {0, 1, 2}, {100, 10, 1}, {}}}};
  EXPECT_THAT(LineChartSvg(chart), HasSubstr("points=\"66.0,16.0 276.0,146.0 486.0,276.0\""));
}

TEST(LineChartTest, LeavesAGapWhereThereIsNoNumber) {
  const LineChart chart{"", "", {{"a", {0, 1, 2, 3}, {2, 1, NAN, 1}, {}}}};
  const std::string svg = LineChartSvg(chart);
  EXPECT_THAT(svg, HasSubstr("points=\"66.0,16.0 206.0,276.0\""));
  EXPECT_THAT(svg, HasSubstr("points=\"486.0,276.0\""));
}

TEST(LineChartTest, DrawsNothingOfNothing) {
  EXPECT_THAT(LineChartSvg({"", "", {}}), HasSubstr("</svg>\n"));
}

TEST(TicksTest, AreRound) {
  EXPECT_THAT(Ticks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(Ticks(0, 4, 5), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(Ticks(-30, 70, 5), ElementsAre(-20, 0, 20, 40, 60));
}

}  // namespace
}  // namespace starling
