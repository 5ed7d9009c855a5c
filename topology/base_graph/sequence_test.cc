#include "topology/base_graph/sequence.h"

#include <array>
#include <map>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int> Nodes(int n) {
  std::vector<int> nodes(n);
  std::iota(nodes.begin(), nodes.end(), 0);
  return nodes;
}

TEST(Sequence, SmoothNumbersHaveSmallPrimeFactors) {
  EXPECT_TRUE(IsSmooth(1, 1));
  EXPECT_TRUE(IsSmooth(64, 1));
  EXPECT_FALSE(IsSmooth(6, 1));
  EXPECT_TRUE(IsSmooth(6, 2));
  EXPECT_FALSE(IsSmooth(10, 3));
  EXPECT_TRUE(IsSmooth(10, 4));
}

TEST(Sequence, HyperHypercubeUsesSmallFactorsFirst) {
  const Sequence sequence = HyperHypercube(Nodes(6), 2);
  ASSERT_EQ(sequence.size(), 2u);
  EXPECT_THAT(sequence[0].groups,
              ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4, 5)));
  EXPECT_THAT(sequence[1].groups, ElementsAre(ElementsAre(0, 2, 4), ElementsAre(1, 3, 5)));
  EXPECT_THAT(HyperHypercube(Nodes(1), 1), IsEmpty());
}

TEST(Sequence, FiveInPairs) {
  // Blocks {0 1 2 3} and {4}: two rounds inside, one in which 4 gets 4/5 of the mean from 3, then
  // two rounds inside again.
  const Sequence sequence = SimpleBaseGraph(Nodes(5), 1);
  ASSERT_EQ(sequence.size(), 5u);
  EXPECT_THAT(sequence[2].groups, ElementsAre(ElementsAre(0, 1)));
  EXPECT_THAT(sequence[2].edges,
              ElementsAre(Edge{4, 3, 0.8}, Edge{3, 4, 0.8}, Edge{3, 3, 1 - 0.8}, Edge{4, 4, 0.2}));
  EXPECT_THAT(sequence[4].edges, IsEmpty());
}

TEST(Sequence, Lengths) {
  // {simple, base} for k = 1, 2, 3, 4.
  using Lengths = std::array<size_t, 2>;
  const std::map<int, std::array<Lengths, 4>> golden = {
      {3, {{{3, 3}, {1, 1}, {1, 1}, {1, 1}}}},   {5, {{{5, 5}, {3, 3}, {3, 3}, {1, 1}}}},
      {6, {{{5, 4}, {2, 2}, {2, 2}, {2, 2}}}},   {7, {{{5, 5}, {4, 4}, {3, 3}, {3, 3}}}},
      {9, {{{7, 7}, {2, 2}, {2, 2}, {2, 2}}}},   {10, {{{7, 6}, {5, 4}, {4, 4}, {2, 2}}}},
      {12, {{{7, 5}, {3, 3}, {2, 2}, {2, 2}}}},  {15, {{{7, 7}, {5, 4}, {4, 4}, {2, 2}}}},
      {17, {{{9, 9}, {5, 5}, {5, 5}, {4, 4}}}},  {20, {{{9, 7}, {6, 5}, {5, 4}, {2, 2}}}},
      {24, {{{9, 6}, {4, 4}, {3, 3}, {3, 3}}}},  {25, {{{9, 9}, {6, 6}, {5, 5}, {2, 2}}}},
      {32, {{{5, 5}, {5, 5}, {3, 3}, {3, 3}}}},  {33, {{{11, 11}, {7, 6}, {6, 5}, {5, 5}}}},
      {40, {{{11, 8}, {7, 6}, {6, 5}, {3, 3}}}},
  };
  for (const auto& [n, by_k] : golden) {
    for (int k = 1; k <= 4; ++k) {
      const Lengths lengths = {SimpleBaseGraph(Nodes(n), k).size(),
                               BaseGraphSequence(Nodes(n), k).size()};
      EXPECT_EQ(lengths, by_k[k - 1]) << "n = " << n << ", k = " << k;
    }
  }
}

}  // namespace
}  // namespace starling
