#include "experiments/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_format.h"
#include "boost/math/distributions/students_t.hpp"

namespace starling {
namespace {

using StudentsT = boost::math::students_t_distribution<double>;

constexpr double kCoverage = 0.95;

}  // namespace

MeanEstimate EstimateMean(absl::Span<const double> values) {
  MeanEstimate estimate;
  estimate.count = static_cast<int>(values.size());
  const double n = estimate.count;
  estimate.mean = values.empty() ? NAN : std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (estimate.count < 2) return estimate;
  double squares = 0;
  for (const double value : values) squares += std::pow(value - estimate.mean, 2);
  estimate.deviation = std::sqrt(squares / (n - 1));
  const double t = boost::math::quantile(StudentsT(n - 1), (1 + kCoverage) / 2);
  const double half = t * *estimate.deviation / std::sqrt(n);
  estimate.interval = Interval{estimate.mean - half, estimate.mean + half};
  return estimate;
}

PairedDifference ComparePaired(const std::map<uint64_t, double>& a,
                               const std::map<uint64_t, double>& b) {
  std::vector<double> differences;
  for (const auto& [seed, value] : a) {
    if (const auto other = b.find(seed); other != b.end()) {
      differences.push_back(value - other->second);
    }
  }
  PairedDifference comparison{EstimateMean(differences), std::nullopt};
  if (differences.size() < 2) return comparison;
  const auto [least, most] = std::minmax_element(differences.begin(), differences.end());
  if (*least == *most) {  // The deviation may be off 0 by rounding.
    comparison.p = *least == 0 ? 1 : 0;
    return comparison;
  }
  const double n = comparison.difference.count;
  const double t = comparison.difference.mean / (*comparison.difference.deviation / std::sqrt(n));
  comparison.p = 2 * boost::math::cdf(boost::math::complement(StudentsT(n - 1), std::abs(t)));
  return comparison;
}

std::vector<std::optional<double>> HolmAdjusted(absl::Span<const std::optional<double>> p_values) {
  std::vector<size_t> order;  // of the tests that were made, by p
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (p_values[i]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return *p_values[i] < *p_values[j]; });
  std::vector<std::optional<double>> adjusted(p_values.size());
  double largest = 0;  // so far: an adjusted p is never below that of a smaller one
  for (size_t k = 0; k < order.size(); ++k) {
    const double left = static_cast<double>(order.size() - k);
    largest = std::max(largest, std::min(1.0, left * *p_values[order[k]]));
    adjusted[order[k]] = largest;
  }
  return adjusted;
}

Verdict VerdictOf(const PairedDifference& comparison, std::optional<double> adjusted_p,
                  bool larger_is_better) {
  if (!adjusted_p) return Verdict::kNotComparable;
  if (*adjusted_p >= kSignificance) return Verdict::kNotDistinguishable;
  return (comparison.difference.mean > 0) == larger_is_better ? Verdict::kFirstIsBetter
                                                              : Verdict::kSecondIsBetter;
}

std::string VerdictText(absl::string_view a, absl::string_view b,
                        const PairedDifference& comparison, std::optional<double> adjusted_p,
                        bool larger_is_better) {
  const MeanEstimate& difference = comparison.difference;
  const Verdict verdict = VerdictOf(comparison, adjusted_p, larger_is_better);
  if (verdict == Verdict::kNotComparable) {
    return absl::StrFormat("%s and %s cannot be compared: %s seed was run with both", a, b,
                           difference.count == 0 ? "no" : "only one");
  }
  const std::string evidence =
      absl::StrFormat("%s; %d seeds", PText(*adjusted_p), difference.count);
  if (verdict == Verdict::kNotDistinguishable) {
    return absl::StrFormat(
        "%s and %s are not distinguishable (difference %.3g, 95 %% interval "
        "%.3g to %.3g; %s)",
        a, b, difference.mean, difference.interval->low, difference.interval->high, evidence);
  }
  // By how much, as a positive number: of two ways to say it, the one that needs no sign.
  const bool positive = difference.mean > 0;
  const double low = positive ? difference.interval->low : -difference.interval->high;
  const double high = positive ? difference.interval->high : -difference.interval->low;
  const bool first = verdict == Verdict::kFirstIsBetter;
  return absl::StrFormat("%s is better than %s by %.3g (95 %% interval %.3g to %.3g; %s)",
                         first ? a : b, first ? b : a, std::abs(difference.mean), low, high,
                         evidence);
}

std::string PText(double p) { return p < 1e-4 ? "p < 0.0001" : absl::StrFormat("p = %.2g", p); }

}  // namespace starling
