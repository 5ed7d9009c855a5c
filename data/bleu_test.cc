#include "data/bleu.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;

BleuCounts CountsOf(const std::vector<std::string>& translations,
                    const std::vector<std::string>& references) {
  BleuCounts counts;
  for (size_t i = 0; i < translations.size(); ++i) counts.Add(translations[i], references[i]);
  return counts;
}

double Score(const std::vector<std::string>& translations,
             const std::vector<std::string>& references) {
  return CountsOf(translations, references).Score();
}

TEST(BleuTest, PunctuationStandsAlone) {
  EXPECT_THAT(Tokenize13a("Hello, world!"), ElementsAre("Hello", ",", "world", "!"));
  EXPECT_THAT(Tokenize13a("(a/b) [c] \"d\""),
              ElementsAre("(", "a", "/", "b", ")", "[", "c", "]", "\"", "d", "\""));
  EXPECT_THAT(Tokenize13a("wait..."), ElementsAre("wait", ".", ".", "."));
}

TEST(BleuTest, SomePunctuationBelongsToWords) {
  EXPECT_THAT(Tokenize13a("It costs 3,000.50 dollars."),
              ElementsAre("It", "costs", "3,000.50", "dollars", "."));
  EXPECT_THAT(Tokenize13a("1990-95, well-known, -5, don't"),
              ElementsAre("1990", "-", "95", ",", "well-known", ",", "-5", ",", "don't"));
  EXPECT_THAT(Tokenize13a("in 1999."), ElementsAre("in", "1999", "."));
}

TEST(BleuTest, MarkupAndWhiteSpaceOfAllKinds) {
  EXPECT_THAT(Tokenize13a("a &amp; b &lt;<skipped>c&gt; &quot;d&quot;"),
              ElementsAre("a", "&", "b", "<", "c", ">", "\"", "d", "\""));
  EXPECT_THAT(Tokenize13a("&amp;lt;"), ElementsAre("<"));
  EXPECT_THAT(Tokenize13a("\t a\u00a0b\u3000c \u2009 d"), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Tokenize13a("Über-„größe“…"), ElementsAre("Über-„größe“…"));
  EXPECT_THAT(Tokenize13a(" "), ElementsAre());
}

// Table 1's example of Papineni et al.: "the" counts only as often as in the reference.
TEST(BleuTest, MatchesAreClipped) {
  const BleuCounts counts = CountsOf({"the the the the the the the"}, {"the cat is on the mat"});
  EXPECT_EQ(counts.matches[0], 2);
  EXPECT_EQ(counts.ngrams[0], 7);
  // Three orders without a match count as 1/2, 1/4 and 1/8 of one.
  EXPECT_DOUBLE_EQ(counts.Score(), 100 * std::pow(2.0 / 7 / (2 * 6) / (4 * 5) / (8 * 4), 0.25));
}

TEST(BleuTest, ShortTranslationsArePunished) {
  EXPECT_DOUBLE_EQ(Score({"a b c d"}, {"a b c d"}), 100);
  EXPECT_DOUBLE_EQ(Score({"a b c d"}, {"a b c d e f"}), 100 * std::exp(1 - 6.0 / 4));
  EXPECT_LT(Score({"a b c d e f"}, {"a b c d"}), 100);
}

TEST(BleuTest, IsCaseSensitive) { EXPECT_LT(Score({"A b c d e"}, {"a b c d e"}), 100); }

TEST(BleuTest, NothingToCountIsZero) {
  EXPECT_EQ(BleuCounts().Score(), 0);
  EXPECT_EQ(Score({""}, {"a b"}), 0);
  EXPECT_EQ(Score({"x y z w"}, {"a b c d"}), 0);
  EXPECT_EQ(Score({"a b c"}, {"a b c"}), 0);  // no four tokens
}

// Scores that sacrebleu 2.6.0 gives (BLEU().corpus_score(translations, [references]).score).
TEST(BleuTest, AgreesWithSacreBleu) {
  const std::vector<std::string> english = {"The dog bit the man.", "It wasn't surprising.",
                                            "The man had just bitten him."};
  EXPECT_NEAR(
      Score(english, {"The dog bit the man.", "It was not unexpected.", "The man bit him first."}),
      45.06750632106114, 1e-10);
  EXPECT_NEAR(Score(english, {"The dog had bit the man.", "No one was surprised.",
                              "The man had bitten the dog."}),
              28.330553664429278, 1e-10);
  EXPECT_NEAR(Score({"Ein Mann mit einem orangen Hut starrt etwas an.",
                     "Ein Boston Terrier läuft über grünes Gras vor einem Zaun.",
                     "Ein Mädchen bricht ein Brett mit einem Tritt."},
                    {"Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
                     "Ein Boston Terrier läuft über saftig-grünes Gras vor einem weißen Zaun.",
                     "Ein Mädchen in einem Karateanzug bricht ein Brett mit einem Tritt."}),
              45.484868780320916, 1e-10);
  EXPECT_NEAR(Score({"a x b y c"}, {"b z c q a"}), 14.058533129758727, 1e-10);
}

TEST(BleuTest, CountsOfPartsAddUp) {
  BleuCounts parts = CountsOf({"a b c d"}, {"a b c e"});
  parts.Add("b c d e", "a b c d");
  EXPECT_EQ(parts.Score(), Score({"a b c d", "b c d e"}, {"a b c e", "a b c d"}));
  EXPECT_EQ(parts.translation_tokens, 8);
}

}  // namespace
}  // namespace starling
