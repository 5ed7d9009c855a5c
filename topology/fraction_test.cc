#include "topology/fraction.h"

#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(Fraction, RecognisesRoundedQuotients) {
  for (int64_t q = 1; q <= 300; ++q) {
    for (int64_t p = 0; p <= q; ++p) {
      const auto fraction = Fraction::Recognise(static_cast<double>(p) / static_cast<double>(q));
      ASSERT_TRUE(fraction.has_value()) << p << "/" << q;
      EXPECT_TRUE(*fraction == Fraction(p, q)) << p << "/" << q;
    }
  }
  EXPECT_TRUE(*Fraction::Recognise(1 - 1.0 / 3 - 1.0 / 3) == Fraction(1, 3));
  EXPECT_TRUE(*Fraction::Recognise(1.0 / (1 << 20)) == Fraction(1, 1 << 20));
}

TEST(Fraction, DoesNotRecogniseWhatIsNone) {
  EXPECT_FALSE(Fraction::Recognise(0.70710678118654752).has_value());
  EXPECT_FALSE(Fraction::Recognise(0.3 + 1e-13).has_value());
  EXPECT_FALSE(Fraction::Recognise(1e-9).has_value());
  EXPECT_FALSE(Fraction::Recognise(-0.5).has_value());
  EXPECT_FALSE(Fraction::Recognise(1.5).has_value());
}

TEST(Fraction, AddsProducts) {
  const auto sum = Fraction(1, 6).PlusProduct(Fraction(2, 3), Fraction(1, 4));
  ASSERT_TRUE(sum.has_value());
  EXPECT_EQ(sum->ToString(), "1/3");
  EXPECT_EQ(Fraction(4, 2).ToString(), "2");
  EXPECT_EQ(Fraction().ToString(), "0");
  EXPECT_DOUBLE_EQ(Fraction(3, 8).value(), 0.375);
}

TEST(Fraction, SaysWhenAResultDoesNotFit) {
  std::optional<Fraction> power = Fraction(1, 3);
  int exponent = 1;
  while (power.has_value()) {
    ASSERT_LT(exponent, 200);
    power = Fraction().PlusProduct(*power, Fraction(1, 3));
    ++exponent;
  }
  EXPECT_EQ(exponent, 81);  // 3^80 < 2^127 < 3^81
}

TEST(FractionProduct, TwoPairingsOfFourAverageExactly) {
  FractionProduct product(4);
  EXPECT_FALSE(product.IsAverage());
  EXPECT_TRUE(product.Multiply(MixingRound::FromGroups(4, {{0, 1}, {2, 3}})));
  EXPECT_FALSE(product.IsAverage());
  EXPECT_TRUE(product.Multiply(MixingRound::FromGroups(4, {{0, 2}, {1, 3}})));
  EXPECT_TRUE(product.IsAverage());
}

TEST(FractionProduct, TellsAlmostTheAverageFromTheAverage) {
  // Off by 2^-18 in two entries: far below what training would notice.
  const double off = 1.0 / (1 << 18);
  FractionProduct product(2);
  EXPECT_TRUE(product.Multiply(MixingRound::FromEdges(
      2, {{0, 0, 0.5 + off}, {0, 1, 0.5 - off}, {1, 0, 0.5 - off}, {1, 1, 0.5 + off}})));
  EXPECT_FALSE(product.IsAverage());
}

TEST(FractionProduct, RefusesWeightsThatAreNoFractions) {
  const double weight = 0.70710678118654752;
  FractionProduct product(2);
  EXPECT_FALSE(product.Multiply(MixingRound::FromEdges(
      2, {{0, 0, weight}, {0, 1, 1 - weight}, {1, 0, 1 - weight}, {1, 1, weight}})));
}

}  // namespace
}  // namespace starling
