// The proof of `starling fit`: each size of each published cluster, predicted from the other two.
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "cluster/fit_testing.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

TEST(PublishedFitTest, PredictsEachSizeFromTheOtherTwo) {
  const std::vector<StepMeasurement> rows = PublishedRows();
  std::set<std::pair<std::string, int>> worlds;
  for (const StepMeasurement& row : rows) worlds.insert({row.cluster, row.gpus});
  ASSERT_EQ(worlds.size(), 6);
  double squares = 0, worst = 0;
  int inside = 0, count = 0;
  for (const auto& [cluster, gpus] : worlds) {
    const auto steps = PredictHeldOut(rows, cluster, gpus);
    ExpectSameOrder(steps);
    for (const HeldOutStep& held : steps) {
      absl::PrintF("%-8s%4d  %-10s%8.1f%8.1f%7.1f %%  %.1f-%.1f\n", cluster, gpus, held.row.method,
                   held.row.ms, held.step.ms, 100 * held.error(), held.step.low_ms,
                   held.step.high_ms);
      squares += held.error() * held.error();
      worst = std::max(worst, std::abs(held.error()));
      inside += held.row.ms >= held.step.low_ms && held.row.ms <= held.step.high_ms;
      ++count;
    }
  }
  absl::PrintF("root mean square error %.1f %%, worst %.1f %%, %d of %d inside their interval\n",
               100 * std::sqrt(squares / count), 100 * worst, inside, count);
  EXPECT_EQ(count, 24);
  EXPECT_LT(std::sqrt(squares / count), 0.05);
  EXPECT_LT(worst, 0.12);
  EXPECT_GE(inside, 20);
}

}  // namespace
}  // namespace starling::testing
