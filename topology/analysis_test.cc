#include "topology/analysis.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

const double kPi = std::acos(-1.0);

// Directed cycle: worker i keeps 1 - w and takes w from i + 1.
MixingRound DirectedCycle(int n, double w) {
  std::vector<Edge> edges;
  for (int i = 0; i < n; ++i) {
    if (w < 1) edges.push_back({i, i, 1 - w});
    edges.push_back({i, (i + 1) % n, w});
  }
  return MixingRound::FromEdges(n, edges);
}

TEST(Analysis, DenseWeightsAreRowByReceiver) {
  const MixingRound round = MixingRound::FromEdges(2, {{0, 0, 0.25}, {0, 1, 0.75}, {1, 1, 1}});
  EXPECT_THAT(DenseWeights(round), ElementsAre(0.25, 0.75, 0, 1));
  EXPECT_THAT(RowSums(round), ElementsAre(1, 1));
  EXPECT_THAT(ColumnSums(round), ElementsAre(0.25, 1.75));
  EXPECT_TRUE(RowsSumToOne(round));
  EXPECT_FALSE(ColumnsSumToOne(round));
  EXPECT_FALSE(IsSymmetric(round));
}

TEST(Analysis, SymmetryComparesWeightsToo) {
  EXPECT_TRUE(IsSymmetric(MixingRound::FromGroups(5, {{0, 3}, {1, 2, 4}})));
  EXPECT_FALSE(IsSymmetric(
      MixingRound::FromEdges(2, {{0, 0, 0.5}, {0, 1, 0.5}, {1, 0, 0.25}, {1, 1, 0.75}})));
  EXPECT_FALSE(IsSymmetric(DirectedCycle(3, 0.5)));
}

TEST(Analysis, ProductAppliesTheFirstRoundFirst) {
  const MixingRound first = MixingRound::FromEdges(2, {{0, 0, 0.5}, {0, 1, 0.5}, {1, 1, 1}});
  const MixingRound second = MixingRound::FromEdges(2, {{0, 0, 1}, {1, 0, 0.5}, {1, 1, 0.5}});
  EXPECT_THAT(DenseProduct({first, second}), ElementsAre(0.5, 0.5, 0.25, 0.75));
}

TEST(Analysis, ConnectivityIsOfTheUnionAndDirected) {
  const MixingRound left = MixingRound::FromGroups(4, {{0, 1}, {2, 3}});
  const MixingRound right = MixingRound::FromGroups(4, {{0}, {1, 2}, {3}});
  EXPECT_EQ(CountComponents({left}), 2);
  EXPECT_EQ(CountComponents({right}), 3);
  EXPECT_EQ(CountComponents({left, right}), 1);
  EXPECT_EQ(CountComponents({DirectedCycle(7, 0.5)}), 1);
  // A directed path: nobody hears from behind.
  EXPECT_EQ(CountComponents({MixingRound::FromEdges(
                3, {{0, 0, 1}, {1, 0, 0.5}, {1, 1, 0.5}, {2, 1, 0.5}, {2, 2, 0.5}})}),
            3);
}

TEST(SecondSingularValue, OfSmallMatrices) {
  EXPECT_EQ(SecondSingularValue({5}, 1), 0);
  EXPECT_NEAR(SecondSingularValue({3, 0, 0, -2}, 2), 2, 1e-14);
  EXPECT_NEAR(SecondSingularValue({0, 0, 0, 7}, 2), 0, 1e-14);
  EXPECT_NEAR(SecondSingularValue({0, 0, 0, 0}, 2), 0, 1e-14);
  // Eigenvalues of the Gram matrix of (1 2; 3 4): 15 +- sqrt(221).
  EXPECT_NEAR(SecondSingularValue({1, 2, 3, 4}, 2), std::sqrt(15 - std::sqrt(221.0)), 1e-14);
  EXPECT_NEAR(SecondSingularValue({0, 0, 3, 5, 0, 0, 0, 4, 0}, 3), 4, 1e-14);
}

TEST(SecondSingularValue, OfCirculantMatricesInClosedForm) {
  // The singular values of the directed cycle are |1 - w + w e^(2 pi i m / n)|.
  for (int n : {2, 3, 5, 8, 17, 64, 256}) {
    for (double w : {0.5, 0.3, 1.0}) {
      const double angle = 2 * kPi / n;
      const double expected =
          std::sqrt((1 - w) * (1 - w) + w * w + 2 * w * (1 - w) * std::cos(angle));
      EXPECT_NEAR(SecondSingularValue(DenseWeights(DirectedCycle(n, w)), n), expected, 1e-12)
          << n << " " << w;
    }
  }
}

TEST(SecondSingularValue, OfALowerTriangularMatrixOfOnesInClosedForm) {
  // Its inverse is a difference matrix; singular values 1 / (2 sin((2 m - 1) pi / (4 n + 2))).
  for (int n : {2, 5, 33, 64}) {
    std::vector<double> matrix(static_cast<size_t>(n) * n, 0.0);
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j <= i; ++j) matrix[static_cast<size_t>(i) * n + j] = 1;
    }
    EXPECT_NEAR(SecondSingularValue(matrix, n), 1 / (2 * std::sin(3 * kPi / (4 * n + 2))), 1e-11);
  }
}

TEST(SmallestEigenvalue, OfRingsInClosedForm) {
  // 1/3 + 2/3 cos(2 pi m / n) for m = 0, ..., n - 1.
  for (int n : {3, 4, 5, 8, 17, 64}) {
    std::vector<Edge> edges;
    for (int i = 0; i < n; ++i) {
      for (int shift : {n - 1, 0, 1}) edges.push_back({i, (i + shift) % n, 1.0 / 3});
    }
    const double expected = 1.0 / 3 + 2.0 / 3 * std::cos(2 * kPi * (n / 2) / n);
    EXPECT_NEAR(SmallestEigenvalue(MixingRound::FromEdges(n, edges)), expected, 1e-14) << n;
  }
}

TEST(SmallestEigenvalue, OfExchangesAndAverages) {
  EXPECT_NEAR(SmallestEigenvalue(MixingRound::FromEdges(2, {{0, 1, 1}, {1, 0, 1}})), -1, 1e-15);
  EXPECT_EQ(SmallestEigenvalue(MixingRound::FromEdges(2, {{0, 0, 1}, {1, 1, 1}})), 1);
  EXPECT_EQ(SmallestEigenvalue(MixingRound::FromGroups(3, {{0, 2}, {1}})), 0);
  EXPECT_EQ(SmallestEigenvalue(MixingRound::FromGroups(2, {{0}, {1}})), 1);
}

TEST(ExactAfter, FindsTheFirstExactPrefix) {
  const MixingRound one = MixingRound::FromGroups(4, {{0, 1}, {2, 3}});
  const MixingRound two = MixingRound::FromGroups(4, {{0, 2}, {1, 3}});
  EXPECT_EQ(ExactAfter({one}), 0);
  EXPECT_EQ(ExactAfter({one, one, two, one}), 3);
}

TEST(ExactAfter, DecidesInDoublesWhereFractionsEnd) {
  // More workers than fractions are used for.
  std::vector<MixingRound> rounds;
  for (int distance = 1; distance < 128; distance *= 2) {
    std::vector<std::vector<int>> pairs;
    for (int i = 0; i < 128; ++i) {
      if ((i & distance) == 0) pairs.push_back({i, i ^ distance});
    }
    rounds.push_back(MixingRound::FromGroups(128, pairs));
  }
  EXPECT_EQ(ExactAfter(rounds), 7);
  rounds.pop_back();
  EXPECT_EQ(ExactAfter(rounds), 0);
  // Weights that are no small fractions.
  const double w = std::sqrt(0.5);
  EXPECT_EQ(ExactAfter({DirectedCycle(2, w)}), 0);
}

TEST(Analysis, SumsUpARound) {
  const MixingAnalysis analysis = AnalyzeRounds({DirectedCycle(4, 0.5)});
  EXPECT_FALSE(analysis.symmetric);
  EXPECT_TRUE(analysis.doubly_stochastic());
  EXPECT_EQ(analysis.components, 1);
  EXPECT_FALSE(analysis.exact);
  EXPECT_NEAR(analysis.rho, std::sqrt(0.5), 1e-12);
  EXPECT_EQ(AnalyzeRounds({MixingRound::FromGroups(3, {{0, 1, 2}})}).rho, 0);
}

class Endless : public Topology {
 public:
  int size() const override { return 2; }
  TopologyFacts facts() const override {
    TopologyFacts facts;
    facts.period = 0;
    return facts;
  }
  MixingRound Round(int64_t) const override { return MixingRound::FromGroups(2, {{0, 1}}); }
};

TEST(Analysis, LooksAtTheBeginningOfWhatNeverRepeats) {
  EXPECT_EQ(PeriodOf(Endless()).size(), static_cast<size_t>(kRoundsIfEndless));
}

}  // namespace
}  // namespace starling
