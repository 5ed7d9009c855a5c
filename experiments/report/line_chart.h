// Line charts for papers: means with bands, as SVG and as the numbers behind it.
#ifndef EXPERIMENTS_REPORT_LINE_CHART_H_
#define EXPERIMENTS_REPORT_LINE_CHART_H_

#include <string>
#include <vector>

namespace starling {

// Points that are not finite are gaps.
struct ChartSeries {
  std::string label;
  std::vector<double> x, mean;
  std::vector<double> half_width;  // of the band around the mean; empty: there is none
};

struct LineChart {
  std::string x_label, y_label;
  std::vector<ChartSeries> series;
};

// The y axis is logarithmic if all means are positive and differ by more than a factor of 20.
std::string LineChartSvg(const LineChart& chart);

// One row per point: series,x,mean,low,high; the last two are empty without a band.
std::string LineChartCsv(const LineChart& chart);

// Round numbers from `low` to `high`, about `count` of them.
std::vector<double> Ticks(double low, double high, int count);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_LINE_CHART_H_
