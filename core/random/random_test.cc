#include "core/random/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

// Tests of distributions allow five standard deviations of the estimate: by chance one in two
// million of them would fail, but streams are fixed, so they pass always or never.
constexpr double kSigmas = 5;

// Expects that the mean of f(draw) over n draws is `mean`, given the variance of one f(draw).
template <typename Draw>
void ExpectMean(double mean, double variance, int n, const Draw& draw) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += draw();
  EXPECT_NEAR(sum / n, mean, kSigmas * std::sqrt(variance / n));
}

Random TestRandom(int64_t step = 0) { return Random(StreamKey(1, Purpose::kTest, 0, step)); }

// From kat_vectors of the authors' Random123 library, version 1.09.
TEST(PhiloxTest, MatchesThePublishedVectors) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(StreamTest, EveryPartOfTheNameMatters) {
  std::set<uint64_t> keys;
  int made = 0;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, ~uint64_t{0}}) {
    for (const Purpose purpose : {Purpose::kInitialization, Purpose::kSampling, Purpose::kTest}) {
      for (const int worker : {0, 1, 1 << 20}) {
        for (const int64_t step : {int64_t{0}, int64_t{1}, int64_t{1} << 32, int64_t{1} << 62}) {
          keys.insert(StreamKey(seed, purpose, worker, step));
          ++made;
        }
      }
    }
  }
  EXPECT_EQ(static_cast<int>(keys.size()), made);
}

TEST(StreamTest, NumbersOfDifferentStreamsDiffer) {
  Random a = TestRandom(0), b = TestRandom(1);
  int equal = 0;
  for (int i = 0; i < 1000; ++i) equal += a.Next32() == b.Next32();
  EXPECT_EQ(equal, 0);  // chance would give 1000 / 2^32
}

// Recorded runs depend on these: a change makes them irreproducible.
TEST(StreamTest, StaysAsItIs) {
  EXPECT_EQ(StreamKey(1, Purpose::kTest, 2, 3), 0xc73663972a19c933);
  Random random(StreamKey(1, Purpose::kTest, 2, 3));
  EXPECT_EQ(random.Next32(), 0xf2c205c9);
  EXPECT_EQ(random.Next64(), 0x2af5ed514ad5265f);
  EXPECT_EQ(random.Uniform(), 0x1.820dbcbdbc4bp-2);
  EXPECT_EQ(random.Below(1000), 512);
}

TEST(RandomTest, ACopyReplays) {
  Random random = TestRandom();
  random.Next32();  // in the middle of a block
  Random copy = random;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Next64(), copy.Next64());
}

TEST(RandomTest, WordsAreThoseOfSuccessiveBlocks) {
  const uint64_t stream = 0x0123456789abcdef;
  Random random(stream);
  for (uint32_t block = 0; block < 3; ++block) {
    for (const uint32_t word : Philox4x32({block, 0, 0, 0}, {0x89abcdef, 0x01234567})) {
      EXPECT_EQ(random.Next32(), word);
    }
  }
}

TEST(RandomTest, UniformHasTheRightMoments) {
  Random random = TestRandom();
  for (int i = 0; i < 1000; ++i) {
    const double u = random.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
  }
  ExpectMean(0.5, 1.0 / 12, 100000, [&] { return random.Uniform(); });
  // Var((u - 1/2)^2) = 1/80 - 1/144.
  ExpectMean(1.0 / 12, 1.0 / 180, 100000, [&] { return std::pow(random.Uniform() - 0.5, 2); });
  // Successive numbers are uncorrelated.
  ExpectMean(0, 1.0 / 144, 100000,
             [&] { return (random.Uniform() - 0.5) * (random.Uniform() - 0.5); });
}

TEST(RandomTest, NormalHasTheRightMoments) {
  Random random = TestRandom();
  // Variances from the moments 1, 3, 15, 105 of order 2, 4, 6, 8.
  ExpectMean(0, 1, 100000, [&] { return random.Normal(); });
  ExpectMean(1, 3 - 1, 100000, [&] { return std::pow(random.Normal(), 2); });
  ExpectMean(0, 15, 100000, [&] { return std::pow(random.Normal(), 3); });
  ExpectMean(3, 105 - 9, 100000, [&] { return std::pow(random.Normal(), 4); });
  const double tail = 0.0455002639;  // P(|z| > 2)
  ExpectMean(tail, tail * (1 - tail), 100000, [&] { return std::abs(random.Normal()) > 2; });
}

TEST(RandomTest, GammaHasTheRightMoments) {
  Random random = TestRandom();
  for (const double shape : {0.05, 0.5, 1.0, 3.7, 50.0}) {
    SCOPED_TRACE(shape);
    ExpectMean(shape, shape, 100000, [&] { return random.Gamma(shape); });
    // The fourth central moment is 3 k^2 + 6 k, the second k.
    ExpectMean(shape, 2 * shape * shape + 6 * shape, 100000,
               [&] { return std::pow(random.Gamma(shape) - shape, 2); });
  }
  const double median = std::log(2);  // shape 1 is the exponential distribution
  ExpectMean(0.5, 0.25, 100000, [&] { return random.Gamma(1) < median; });
}

TEST(RandomTest, BelowIsUnbiased) {
  Random random = TestRandom();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.Below(1), 0);
  for (int64_t value = 0; value < 7; ++value) {
    ExpectMean(1.0 / 7, 6.0 / 49, 20000, [&] { return random.Below(7) == value; });
  }
  // 2^64 modulo this bound is two thirds of it: without rejection, the first two thirds would come
  // up 3/8 of the time each, the last 2/8.
  const int64_t third = int64_t{1} << 61;
  for (int64_t part = 0; part < 3; ++part) {
    ExpectMean(1.0 / 3, 2.0 / 9, 20000, [&] { return random.Below(3 * third) / third == part; });
  }
}

TEST(RandomDeathTest, BelowNothingThereIsNothing) {
  EXPECT_DEATH(TestRandom().Below(0), "bound > 0");
  EXPECT_DEATH(TestRandom().Gamma(0), "shape > 0");
}

TEST(RandomTest, ShuffleMakesEveryPermutationEquallyOften) {
  Random random = TestRandom();
  std::map<std::vector<int>, int> seen;
  constexpr int kRuns = 24000;
  for (int i = 0; i < kRuns; ++i) {
    std::vector<int> values = {0, 1, 2, 3};
    random.Shuffle(absl::MakeSpan(values));
    ++seen[values];
  }
  EXPECT_EQ(seen.size(), 24u);
  for (const auto& [permutation, count] : seen) {
    EXPECT_NEAR(count, kRuns / 24, kSigmas * std::sqrt(kRuns / 24.0));
  }
}

TEST(RandomTest, ShuffleKeepsEveryElement) {
  Random random = TestRandom();
  for (const int size : {0, 1, 2, 1000}) {
    std::vector<int> values(size), expected(size);
    std::iota(values.begin(), values.end(), 0);
    expected = values;
    random.Shuffle(absl::MakeSpan(values));
    if (size == 1000) {
      EXPECT_NE(values, expected);
    }
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, expected);
  }
}

}  // namespace
}  // namespace starling
