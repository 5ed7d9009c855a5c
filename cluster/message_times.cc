#include "cluster/message_times.h"

#include <algorithm>
#include <cmath>

#include "glog/logging.h"

namespace starling {
namespace {

struct Line {
  double seconds = 0, seconds_per_byte = 0;
};

// Weights 1 / t^2: each size counts by its relative error.
Line Fit(const std::vector<int64_t>& bytes, const std::vector<double>& seconds) {
  double w = 0, wx = 0, wxx = 0, wy = 0, wxy = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const double x = static_cast<double>(bytes[i]), y = seconds[i], weight = 1 / (y * y);
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
    wy += weight * y;
    wxy += weight * x * y;
  }
  Line line;
  line.seconds_per_byte = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  line.seconds = (wy - line.seconds_per_byte * wx) / w;
  if (line.seconds < 0) line = {0, wxy / wxx};
  return line;
}

double Gbps(const Line& line) { return 8e-9 / line.seconds_per_byte; }

}  // namespace

LatencyAndRate FitMessageTimes(const MessageTimes& times) {
  CHECK_GE(times.bytes.size(), 2u);
  CHECK(!times.seconds.empty());
  std::vector<double> medians, latencies, rates;
  for (size_t i = 0; i < times.bytes.size(); ++i) {
    std::vector<double> column;
    for (const auto& repetition : times.seconds) column.push_back(repetition[i]);
    medians.push_back(Median(column));
  }
  for (const auto& repetition : times.seconds) {
    const Line line = Fit(times.bytes, repetition);
    latencies.push_back(line.seconds);
    rates.push_back(Gbps(line));
  }
  const Line line = Fit(times.bytes, medians);
  return {1e6 * line.seconds, RelativeSpread(latencies), Gbps(line), RelativeSpread(rates)};
}

double Median(std::vector<double> values) {
  CHECK(!values.empty());
  const auto upper = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), upper, values.end());
  if (values.size() % 2 == 1) return *upper;
  return (*std::max_element(values.begin(), upper) + *upper) / 2;
}

double RelativeSpread(const std::vector<double>& values) {
  const double median = Median(values);
  if (median == 0) return 0;
  std::vector<double> distances;
  for (double value : values) distances.push_back(std::abs(value - median));
  return 1.4826 * Median(distances) / std::abs(median);
}

}  // namespace starling
