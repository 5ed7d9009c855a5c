#include "core/config/nearest.h"

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(NearestTest, FindsTheSmallestEditDistance) {
  EXPECT_EQ(Nearest("rng", {"star", "ring", "torus"}), "ring");
  EXPECT_EQ(Nearest("rign", {"star", "ring", "torus"}), "ring");
  EXPECT_EQ(Nearest("exponentail", {"exponential", "one_peer_exp"}), "exponential");
  EXPECT_EQ(Nearest("ring", {"string", "ring"}), "ring");
}

TEST(NearestTest, TakesTheFirstOfEquals) { EXPECT_EQ(Nearest("bat", {"cat", "hat"}), "cat"); }

TEST(NearestTest, IgnoresCase) { EXPECT_EQ(Nearest("ADAM", {"sgd", "adam"}), "adam"); }

TEST(NearestTest, FindsNothingThatDiffersInHalfOfItsLetters) {
  EXPECT_EQ(Nearest("ring", {"rope"}), "");
  EXPECT_EQ(Nearest("ring", {"ping"}), "ping");
  EXPECT_EQ(Nearest("x", {"sgd", "adam"}), "");
  EXPECT_EQ(Nearest("", {"sgd"}), "");
  EXPECT_EQ(Nearest("sgd", {}), "");
}

TEST(DidYouMeanTest, EndsASentence) {
  EXPECT_EQ(DidYouMean("rng", {"ring"}), "; did you mean \"ring\"?");
  EXPECT_EQ(DidYouMean("zebra", {"ring"}), ".");
}

}  // namespace
}  // namespace starling
