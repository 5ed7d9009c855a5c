// Statistics of runs that differ in their seeds only: how sure a mean is, and whether one arm of an
// experiment is better than another.
//
// Seeds are a sample, so intervals and tests are those of Student's t; what arms have in common
// (initial values, batches) is taken out by comparing them seed by seed. Values are finite: runs
// that diverged have no place in a mean and are counted by the caller.
//
// Sources: Student, "The Probable Error of a Mean", Biometrika 6 (1908); S. Holm, "A Simple
// Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
#ifndef EXPERIMENTS_STATISTICS_H_
#define EXPERIMENTS_STATISTICS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace starling {

// Differences with an adjusted p value of at least this are none.
inline constexpr double kSignificance = 0.05;

struct Interval {
  double low = 0, high = 0;
};

// What a sample says of the mean behind it.
struct MeanEstimate {
  int count = 0;
  double mean = 0;                   // NaN of no values
  std::optional<double> deviation;   // sample standard deviation (n - 1); from two values on
  std::optional<Interval> interval;  // 95 %, by Student's t; from two values on
};

MeanEstimate EstimateMean(absl::Span<const double> values);

// How much `a` exceeds `b`, over the seeds that both have.
struct PairedDifference {
  MeanEstimate difference;  // of a - b; its count is that of common seeds
  std::optional<double> p;  // two-sided, of the paired t test; from two common seeds on
};

// Values by seed. Where all differences are the same there is no noise to test against: then p is
// 0, or 1 if they are all 0.
PairedDifference ComparePaired(const std::map<uint64_t, double>& a,
                               const std::map<uint64_t, double>& b);

// Holm's correction: the p values of several tests, raised so that rejecting what is below a level
// errs anywhere with at most that probability. Tests that could not be made stay so and do not
// count.
std::vector<std::optional<double>> HolmAdjusted(absl::Span<const std::optional<double>> p_values);

// Of a comparison: whether it is decided at kSignificance, and for whom.
enum class Verdict { kFirstIsBetter, kSecondIsBetter, kNotDistinguishable, kNotComparable };

// `adjusted_p` may be absent: not comparable.
Verdict VerdictOf(const PairedDifference& comparison, std::optional<double> adjusted_p,
                  bool larger_is_better);

// "A is better than B by 0.012 (95 % interval 0.008 to 0.016; p = 0.003; 5 seeds)", "A and B are
// not distinguishable (...)" or "A and B cannot be compared: ...".
std::string VerdictText(absl::string_view a, absl::string_view b,
                        const PairedDifference& comparison, std::optional<double> adjusted_p,
                        bool larger_is_better);

// "p = 0.0031" or "p < 0.0001".
std::string PText(double p);

}  // namespace starling

#endif  // EXPERIMENTS_STATISTICS_H_
