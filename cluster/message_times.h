// From the times that messages took to a latency and a rate.
#ifndef CLUSTER_MESSAGE_TIMES_H_
#define CLUSTER_MESSAGE_TIMES_H_

#include <cstdint>
#include <vector>

namespace starling {

// What messages of some sizes took, again and again.
struct MessageTimes {
  std::vector<int64_t> bytes;
  std::vector<std::vector<double>> seconds;  // [repetition][size]
};

// t = latency + 8 bytes / rate. Spreads are relative: the standard deviation between repetitions
// over the figure.
struct LatencyAndRate {
  double latency_us = 0, latency_spread = 0;
  double gbps = 0, gbps_spread = 0;
};

// The straight line through the medians of each size, that with the least sum of squares of
// relative errors; a latency below zero becomes zero. At least two sizes and one repetition; times
// positive.
LatencyAndRate FitMessageTimes(const MessageTimes& times);

// The middle of `values`, of which there is at least one (the mean of the two in the middle).
double Median(std::vector<double> values);

// The standard deviation of `values` over their median: of normal ones that of all, but a few that
// are far off do not count (1.4826 times the median distance from the median).
double RelativeSpread(const std::vector<double>& values);

}  // namespace starling

#endif  // CLUSTER_MESSAGE_TIMES_H_
