#include "experiments/statistics.h"

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

// Extra hours of sleep of ten patients with two drugs: Student, "The Probable Error of a Mean",
// Biometrika 6 (1908), p. 20; R's data set `sleep`.
const std::map<uint64_t, double> kDextro = {{1, 0.7}, {2, -1.6}, {3, -0.2}, {4, -1.2}, {5, -0.1},
                                            {6, 3.4}, {7, 3.7},  {8, 0.8},  {9, 0.0},  {10, 2.0}};
const std::map<uint64_t, double> kLaevo = {{1, 1.9}, {2, 0.8}, {3, 1.1}, {4, 0.1}, {5, -0.1},
                                           {6, 4.4}, {7, 5.5}, {8, 1.6}, {9, 4.6}, {10, 3.4}};

// This version of scipy has ten digits of a quantile of t.
constexpr double kScipy = 1e-9;

using P = std::optional<double>;

TEST(EstimateMeanTest, AgreesWithScipy) {
  // v = [2, 4, 4, 4, 5, 5, 7, 9]; np.mean(v), np.std(v, ddof=1),
  // stats.t.interval(0.95, 7, np.mean(v), stats.sem(v))                       (scipy 1.10.1)
  const MeanEstimate eight = EstimateMean({2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_EQ(eight.count, 8);
  EXPECT_EQ(eight.mean, 5);
  EXPECT_NEAR(*eight.deviation, 2.138089935299395, 1e-14);
  EXPECT_NEAR(eight.interval->low, 3.2125120822041073, kScipy);
  EXPECT_NEAR(eight.interval->high, 6.787487917795893, kScipy);

  // The same of v = [0.8913, 0.8921], with one degree of freedom.
  const MeanEstimate two = EstimateMean({0.8913, 0.8921});
  EXPECT_NEAR(two.interval->low, 0.886617518105427, 1e-12);
  EXPECT_NEAR(two.interval->high, 0.8967824818945729, 1e-12);
}

TEST(EstimateMeanTest, OneValueHasNoInterval) {
  const MeanEstimate one = EstimateMean({3});
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(one.mean, 3);
  EXPECT_FALSE(one.deviation.has_value());
  EXPECT_FALSE(one.interval.has_value());
  EXPECT_EQ(EstimateMean({}).count, 0);
  EXPECT_TRUE(std::isnan(EstimateMean({}).mean));
}

TEST(EstimateMeanTest, EqualValuesHaveAnIntervalOfOnePoint) {
  const MeanEstimate equal = EstimateMean({2, 2, 2});
  EXPECT_EQ(*equal.deviation, 0);
  EXPECT_EQ(equal.interval->low, 2);
  EXPECT_EQ(equal.interval->high, 2);
}

TEST(ComparePairedTest, GivesStudentsOwnExample) {
  // R: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9, p = 0.002833,
  // 95 % interval -2.4598858 to -0.7001142; stats.ttest_rel for the last digits.
  const PairedDifference sleep = ComparePaired(kDextro, kLaevo);
  EXPECT_EQ(sleep.difference.count, 10);
  EXPECT_NEAR(sleep.difference.mean, -1.58, 1e-12);
  EXPECT_NEAR(*sleep.difference.deviation, 1.2299954832798732, 1e-12);
  EXPECT_NEAR(sleep.difference.interval->low, -2.4598857632547286, kScipy);
  EXPECT_NEAR(sleep.difference.interval->high, -0.7001142367452713, kScipy);
  EXPECT_NEAR(*sleep.p, 0.00283289019738427, 1e-12);
  EXPECT_EQ(*ComparePaired(kLaevo, kDextro).p, *sleep.p);
}

TEST(ComparePairedTest, TakesTheSeedsThatBothHave) {
  const PairedDifference common =
      ComparePaired({{1, 5.0}, {2, 7.0}, {3, 100.0}}, {{0, 100.0}, {1, 4.0}, {2, 4.0}});
  EXPECT_EQ(common.difference.count, 2);
  EXPECT_EQ(common.difference.mean, 2);
  // t = 2 / (sqrt(2) / sqrt(2)) = 2; of one degree of freedom P(|T| > t) = 1 - 2 atan(t) / pi.
  EXPECT_NEAR(*common.p, 1 - 2 * std::atan(2.0) / std::acos(-1.0), 1e-14);
}

TEST(ComparePairedTest, WithoutNoiseADifferenceIsOneOrNone) {
  EXPECT_EQ(*ComparePaired({{1, 1.0}, {2, 2.0}}, {{1, 1.0}, {2, 2.0}}).p, 1);
  EXPECT_EQ(*ComparePaired({{1, 1.5}, {2, 2.5}}, {{1, 1.0}, {2, 2.0}}).p, 0);
}

TEST(ComparePairedTest, OneCommonSeedProvesNothing) {
  const PairedDifference one = ComparePaired({{1, 3.0}, {2, 9.0}}, {{1, 1.0}, {3, 0.0}});
  EXPECT_EQ(one.difference.count, 1);
  EXPECT_EQ(one.difference.mean, 2);
  EXPECT_FALSE(one.p.has_value());
  EXPECT_EQ(ComparePaired({{1, 3.0}}, {{2, 3.0}}).difference.count, 0);
}

TEST(HolmAdjustedTest, MultipliesByWhatIsLeftAndNeverFalls) {
  // By hand, after the paper's definition: 4 * .005, 3 * .01, 2 * .03, and .04 raised to .06.
  const std::vector<P> adjusted = HolmAdjusted({P(0.01), P(0.04), P(0.03), P(0.005)});
  ASSERT_EQ(adjusted.size(), 4u);
  EXPECT_DOUBLE_EQ(*adjusted[0], 0.03);
  EXPECT_DOUBLE_EQ(*adjusted[1], 0.06);
  EXPECT_DOUBLE_EQ(*adjusted[2], 0.06);
  EXPECT_DOUBLE_EQ(*adjusted[3], 0.02);
}

TEST(HolmAdjustedTest, IsAtMostOneAndLeavesOutWhatWasNotTested) {
  const std::vector<P> adjusted = HolmAdjusted({P(0.7), std::nullopt, P(0.6)});
  EXPECT_EQ(*adjusted[0], 1);
  EXPECT_FALSE(adjusted[1].has_value());
  EXPECT_EQ(*adjusted[2], 1);
  EXPECT_DOUBLE_EQ(*HolmAdjusted({std::nullopt, P(0.04)})[1], 0.04);
  EXPECT_TRUE(HolmAdjusted({}).empty());
}

TEST(VerdictTextTest, SaysWhoIsBetterByHowMuch) {
  const PairedDifference sleep = ComparePaired(kDextro, kLaevo);
  EXPECT_EQ(VerdictText("dextro", "laevo", sleep, sleep.p, /*larger_is_better=*/true),
            "laevo is better than dextro by 1.58 (95 % interval 0.7 to 2.46; p = 0.0028; "
            "10 seeds)");
  EXPECT_EQ(VerdictText("dextro", "laevo", sleep, sleep.p, /*larger_is_better=*/false),
            "dextro is better than laevo by 1.58 (95 % interval 0.7 to 2.46; p = 0.0028; "
            "10 seeds)");
  EXPECT_EQ(VerdictOf(sleep, sleep.p, true), Verdict::kSecondIsBetter);
}

TEST(VerdictTextTest, SaysThatNothingCanBeSaid) {
  const PairedDifference sleep = ComparePaired(kDextro, kLaevo);
  EXPECT_EQ(VerdictText("dextro", "laevo", sleep, 0.05, true),
            "dextro and laevo are not distinguishable (difference -1.58, 95 % interval -2.46 to "
            "-0.7; p = 0.05; 10 seeds)");
  const PairedDifference one = ComparePaired({{1, 3.0}}, {{1, 1.0}});
  EXPECT_EQ(VerdictText("a", "b", one, one.p, true),
            "a and b cannot be compared: only one seed was run with both");
  const PairedDifference none = ComparePaired({{1, 3.0}}, {{2, 1.0}});
  EXPECT_EQ(VerdictText("a", "b", none, none.p, true),
            "a and b cannot be compared: no seed was run with both");
}

TEST(PTextTest, NamesNoProbabilityThatNobodyBelieves) {
  EXPECT_EQ(PText(0.0123), "p = 0.012");
  EXPECT_EQ(PText(0), "p < 0.0001");
  EXPECT_EQ(PText(1), "p = 1");
}

}  // namespace
}  // namespace starling
