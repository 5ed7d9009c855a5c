#include "topology/fraction.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {
namespace {

constexpr int64_t kLargestDenominator = int64_t{1} << 20;

__int128 Gcd(__int128 a, __int128 b) {
  constexpr __int128 kNarrow = INT64_MAX;
  while (b != 0) {
    // Nearly always at once: dividing 128-bit numbers is slow.
    if (a <= kNarrow && b <= kNarrow) {
      return std::gcd(static_cast<int64_t>(a), static_cast<int64_t>(b));
    }
    a = std::exchange(b, a % b);
  }
  return a;
}

}  // namespace

Fraction::Fraction(int64_t numerator, int64_t denominator) {
  CHECK(numerator >= 0 && denominator > 0) << numerator << "/" << denominator;
  const int64_t divisor = std::gcd(numerator, denominator);
  numerator_ = numerator / divisor;
  denominator_ = denominator / divisor;
}

std::optional<Fraction> Fraction::Recognise(double value) {
  if (!(value >= 0 && value <= 1)) return std::nullopt;
  // The convergents p/q of the continued fraction. Two fractions with denominators up to 2^20 are
  // at least 2^-40 apart, so at most one lies within the tolerance.
  int64_t p = 1, q = 0, previous_p = 0, previous_q = 1;
  double rest = value;
  while (true) {
    const double whole = std::floor(rest);
    if (whole > static_cast<double>(kLargestDenominator)) return std::nullopt;
    const int64_t term = static_cast<int64_t>(whole);
    previous_p = std::exchange(p, term * p + previous_p);
    previous_q = std::exchange(q, term * q + previous_q);
    if (q > kLargestDenominator) return std::nullopt;
    if (std::abs(value - static_cast<double>(p) / static_cast<double>(q)) <= 1e-15) {
      return Fraction(p, q);
    }
    if (rest == whole) return std::nullopt;
    rest = 1 / (rest - whole);
  }
}

std::optional<Fraction> Fraction::PlusProduct(const Fraction& a, const Fraction& b) const {
  if (a.is_zero() || b.is_zero()) return *this;
  const Wide divisor_ab = Gcd(a.numerator_, b.denominator_);
  const Wide divisor_ba = Gcd(b.numerator_, a.denominator_);
  Wide product_numerator, product_denominator;
  if (__builtin_mul_overflow(a.numerator_ / divisor_ab, b.numerator_ / divisor_ba,
                             &product_numerator) ||
      __builtin_mul_overflow(a.denominator_ / divisor_ba, b.denominator_ / divisor_ab,
                             &product_denominator)) {
    return std::nullopt;
  }
  const Wide common = Gcd(denominator_, product_denominator);
  Wide left, right, numerator, denominator;
  if (__builtin_mul_overflow(numerator_, product_denominator / common, &left) ||
      __builtin_mul_overflow(product_numerator, denominator_ / common, &right) ||
      __builtin_add_overflow(left, right, &numerator) ||
      __builtin_mul_overflow(denominator_, product_denominator / common, &denominator)) {
    return std::nullopt;
  }
  const Wide divisor = Gcd(numerator, denominator);
  Fraction sum;
  sum.numerator_ = numerator / divisor;
  sum.denominator_ = denominator / divisor;
  return sum;
}

double Fraction::value() const {
  return static_cast<double>(numerator_) / static_cast<double>(denominator_);
}

std::string Fraction::ToString() const {
  CHECK(numerator_ <= INT64_MAX && denominator_ <= INT64_MAX);
  const int64_t numerator = static_cast<int64_t>(numerator_);
  const int64_t denominator = static_cast<int64_t>(denominator_);
  if (denominator == 1) return absl::StrCat(numerator);
  return absl::StrCat(numerator, "/", denominator);
}

FractionProduct::FractionProduct(int workers)
    : workers_(workers), rows_(workers, std::vector<Fraction>(workers)) {
  for (int i = 0; i < workers; ++i) rows_[i][i] = Fraction(1, 1);
}

std::optional<std::vector<Fraction>> FractionProduct::RowOf(absl::Span<const Edge> in) const {
  std::vector<Fraction> row(workers_);
  for (const Edge& edge : in) {
    const std::optional<Fraction> weight = Fraction::Recognise(edge.weight);
    if (!weight.has_value()) return std::nullopt;
    for (int column = 0; column < workers_; ++column) {
      const std::optional<Fraction> sum =
          row[column].PlusProduct(*weight, rows_[edge.from][column]);
      if (!sum.has_value()) return std::nullopt;
      row[column] = *sum;
    }
  }
  return row;
}

bool FractionProduct::Multiply(const MixingRound& round) {
  CHECK_EQ(round.workers(), workers_);
  std::vector<std::vector<Fraction>> product(workers_);
  for (int rank = 0; rank < workers_; ++rank) {
    const absl::Span<const int> group = round.group(rank);
    if (!group.empty() && group.front() < rank) {
      product[rank] = product[group.front()];  // a group's members get the same row
      continue;
    }
    std::optional<std::vector<Fraction>> row = RowOf(round.in(rank));
    if (!row.has_value()) return false;
    product[rank] = *std::move(row);
  }
  rows_ = std::move(product);
  return true;
}

bool FractionProduct::IsAverage() const {
  const Fraction average(1, workers_);
  for (const std::vector<Fraction>& row : rows_) {
    for (const Fraction& entry : row) {
      if (!(entry == average)) return false;
    }
  }
  return true;
}

}  // namespace starling
