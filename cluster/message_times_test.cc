#include "cluster/message_times.h"

#include "gtest/gtest.h"

namespace starling {
namespace {

MessageTimes Straight(double seconds, double seconds_per_byte) {
  MessageTimes times;
  times.bytes = {1000, 2000, 4000};
  times.seconds.resize(3);
  for (auto& repetition : times.seconds) {
    for (int64_t bytes : times.bytes) {
      repetition.push_back(seconds + seconds_per_byte * static_cast<double>(bytes));
    }
  }
  return times;
}

TEST(FitMessageTimes, AStraightLineGivesItsLatencyAndRate) {
  const LatencyAndRate fit = FitMessageTimes(Straight(5e-6, 8e-9));
  EXPECT_NEAR(fit.latency_us, 5, 1e-9);
  EXPECT_NEAR(fit.gbps, 1, 1e-12);
  EXPECT_NEAR(fit.latency_spread, 0, 1e-9);
  EXPECT_NEAR(fit.gbps_spread, 0, 1e-9);
}

TEST(FitMessageTimes, OneDisturbedRepetitionDoesNotCount) {
  MessageTimes times = Straight(5e-6, 8e-9);
  times.seconds[1][2] *= 30;
  const LatencyAndRate fit = FitMessageTimes(times);
  EXPECT_NEAR(fit.latency_us, 5, 1e-9);
  EXPECT_NEAR(fit.gbps, 1, 1e-12);
}

TEST(FitMessageTimes, LatencyIsNeverNegative) {
  // Times 1, 2.5 and 5.5 us: a line through (0, -0.5).
  MessageTimes times;
  times.bytes = {1000, 2000, 4000};
  times.seconds = {{1e-6, 2.5e-6, 5.5e-6}};
  const LatencyAndRate fit = FitMessageTimes(times);
  EXPECT_EQ(fit.latency_us, 0);
  // The least sum of squares of (k x / y - 1) over x / y = 1000, 800, 727.27 per us: k = sum / sum
  // of squares.
  const double sum = 1000 + 800 + 8000.0 / 11, squares = 1e6 + 64e4 + (8000.0 / 11) * (8000.0 / 11);
  EXPECT_NEAR(fit.gbps, 8e-3 / (sum / squares), 1e-9);
}

// Standard deviations between the repetitions: of rates 1, 1.1 and 0.9 Gbit/s the median distance
// from the median is 0.1.
TEST(FitMessageTimes, SpreadIsOfTheRepetitions) {
  MessageTimes times = Straight(0, 8e-9);
  for (double& seconds : times.seconds[1]) seconds /= 1.1;
  for (double& seconds : times.seconds[2]) seconds /= 0.9;
  EXPECT_NEAR(FitMessageTimes(times).gbps_spread, 0.14826, 1e-9);
}

TEST(Median, OfEvenlyManyIsBetweenTheTwoInTheMiddle) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
}

}  // namespace
}  // namespace starling
