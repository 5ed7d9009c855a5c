// Exact arithmetic on mixing weights: whether rounds average exactly is a question about
// rational numbers, which doubles can only answer up to rounding.
#ifndef TOPOLOGY_FRACTION_H_
#define TOPOLOGY_FRACTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "topology/topology.h"

namespace starling {

// A rational number >= 0 in lowest terms of 127 bits. Operations whose result does not fit return
// nothing.
class Fraction {
 public:
  Fraction() = default;                              // 0
  Fraction(int64_t numerator, int64_t denominator);  // >= 0 and > 0; CHECK-fails otherwise

  // The fraction with a denominator of at most 2^20 that lies within 1e-15 of `value`, if there is
  // one: there is never more than one, and a value that was computed as a quotient of small
  // integers is recognised although its double is rounded. Nothing outside [0, 1].
  static std::optional<Fraction> Recognise(double value);

  // *this + a * b.
  std::optional<Fraction> PlusProduct(const Fraction& a, const Fraction& b) const;

  bool operator==(const Fraction& other) const {
    return numerator_ == other.numerator_ && denominator_ == other.denominator_;
  }

  bool is_zero() const { return numerator_ == 0; }
  double value() const;

  // "2/3", "0", "1"; for fractions whose terms fit into 64 bits.
  std::string ToString() const;

 private:
  using Wide = __int128;

  Wide numerator_ = 0;
  Wide denominator_ = 1;
};

// The product of rounds, W_(t-1) ... W_1 W_0, in exact fractions.
//
// Cost of a factor: edges * workers operations on fractions, about 0.1 us each.
class FractionProduct {
 public:
  explicit FractionProduct(int workers);  // the identity

  // Multiplies `round` from the left. False, and the product is lost, if a weight is no fraction
  // with a small denominator or a result does not fit.
  bool Multiply(const MixingRound& round);

  // Whether all entries are exactly 1 / workers.
  bool IsAverage() const;

 private:
  std::optional<std::vector<Fraction>> RowOf(absl::Span<const Edge> in) const;

  int workers_;
  std::vector<std::vector<Fraction>> rows_;
};

}  // namespace starling

#endif  // TOPOLOGY_FRACTION_H_
