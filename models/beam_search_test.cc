#include "models/beam_search.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using Tokens = std::vector<int64_t>;

constexpr int64_t kEnd = 0, kVocabulary = 4, kBegin = 9;

// A made-up language: what may follow a prefix depends on all of it.
std::vector<float> After(uint64_t language, const Tokens& prefix) {
  uint64_t stream = language;
  for (int64_t token : prefix) stream = StreamKey(stream, Purpose::kTest, 0, token);
  Random random(stream);
  std::vector<double> weights(kVocabulary);
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(1.5 * random.Normal());
  std::vector<float> log_probabilities;
  for (double weight : weights) {
    log_probabilities.push_back(static_cast<float>(std::log(weight / sum)));
  }
  return log_probabilities;
}

// Sentence i is in language first + i.
class Languages {
 public:
  explicit Languages(uint64_t first) : first_(first) {}

  absl::Span<const float> operator()(absl::Span<const int64_t> parents,
                                     absl::Span<const int64_t> tokens) {
    std::vector<Row> rows;
    values_.clear();
    for (size_t i = 0; i < parents.size(); ++i) {
      Row row;
      if (tokens[i] == kBegin) {
        row.language = first_ + parents[i];
      } else {
        row = rows_[parents[i]];
        row.prefix.push_back(tokens[i]);
      }
      const auto after = After(row.language, row.prefix);
      values_.insert(values_.end(), after.begin(), after.end());
      rows.push_back(row);
    }
    rows_ = rows;
    ++calls_;
    return values_;
  }
  int calls() const { return calls_; }

 private:
  struct Row {
    uint64_t language = 0;
    Tokens prefix;
  };
  uint64_t first_;
  std::vector<Row> rows_;
  std::vector<float> values_;
  int calls_ = 0;
};

BeamSearchOptions Options(int beam, double length_penalty) {
  return {beam, length_penalty, kBegin, kEnd};
}

Tokens Search(uint64_t language, int beam, double length_penalty, int64_t limit) {
  Languages languages(language);
  return BeamSearch(Options(beam, length_penalty), {limit},
                    [&](auto parents, auto tokens) { return languages(parents, tokens); })[0];
}

// Visits every sequence that continues `prefix`, whose log probability is `score`.
void FindBest(uint64_t language, double length_penalty, int64_t limit, const Tokens& prefix,
              double score, double* best_value, Tokens* best) {
  const auto after = After(language, prefix);
  const auto length = static_cast<int64_t>(prefix.size()) + 1;
  const double penalty = std::pow((5.0 + static_cast<double>(length)) / 6.0, length_penalty);
  for (int64_t token = 0; token < kVocabulary; ++token) {
    Tokens sequence = prefix;
    if (token != kEnd) sequence.push_back(token);
    const double sum = score + static_cast<double>(after[token]);
    if (token != kEnd && length < limit) {
      FindBest(language, length_penalty, limit, sequence, sum, best_value, best);
    } else if (sum / penalty > *best_value) {
      *best_value = sum / penalty;
      *best = sequence;
    }
  }
}

TEST(BeamSearchTest, AWideBeamFindsTheBestOfAllSequences) {
  int differs_from_greedy = 0;
  for (uint64_t language = 0; language < 40; ++language) {
    for (double length_penalty : {0.0, 0.6, 1.5}) {
      Tokens best;
      double value = -std::numeric_limits<double>::infinity();
      FindBest(language, length_penalty, 5, {}, 0, &value, &best);
      EXPECT_EQ(Search(language, 2000, length_penalty, 5), best)
          << "language " << language << ", penalty " << length_penalty;
      differs_from_greedy += best != Search(language, 1, length_penalty, 5);
    }
  }
  EXPECT_GT(differs_from_greedy, 20);
}

TEST(BeamSearchTest, BeamOfOneIsGreedy) {
  for (uint64_t language = 0; language < 40; ++language) {
    Tokens greedy;
    while (greedy.size() < 6) {
      const auto after = After(language, greedy);
      int64_t token = 0;
      for (int64_t other = 1; other < kVocabulary; ++other) {
        if (after[other] > after[token]) token = other;
      }
      if (token == kEnd) break;
      greedy.push_back(token);
    }
    EXPECT_EQ(Search(language, 1, 0.6, 6), greedy) << "language " << language;
  }
}

TEST(BeamSearchTest, APenaltyOnLengthMakesLongerSentences) {
  size_t shorter = 0, longer = 0;
  for (uint64_t language = 0; language < 40; ++language) {
    shorter += Search(language, 4, 0, 8).size();
    longer += Search(language, 4, 2, 8).size();
  }
  EXPECT_GT(longer, shorter + 40);
}

TEST(BeamSearchTest, SentencesDoNotKnowOfEachOther) {
  constexpr int64_t kLimits[] = {1, 7, 3, 6, 2};
  Languages languages(50);
  const auto together = BeamSearch(Options(3, 0.6), kLimits, [&](auto parents, auto tokens) {
    return languages(parents, tokens);
  });
  ASSERT_EQ(together.size(), 5u);
  for (uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(together[i], Search(50 + i, 3, 0.6, kLimits[i])) << "sentence " << i;
    EXPECT_LE(static_cast<int64_t>(together[i].size()), kLimits[i]);
  }
}

// "end" has 0.6 at once, so nothing else can be as good: one look is enough.
TEST(BeamSearchTest, StopsWhenNothingBetterCanCome) {
  const std::vector<float> values = {std::log(0.6f), std::log(0.2f), std::log(0.1f),
                                     std::log(0.1f)};
  int calls = 0;
  const auto found = BeamSearch(Options(4, 0), {20}, [&](auto, auto) {
    ++calls;
    return absl::MakeConstSpan(values);
  });
  EXPECT_EQ(found[0], Tokens());
  EXPECT_EQ(calls, 1);
}

TEST(BeamSearchTest, OfEqualOnesTheEarlierWins) {
  std::vector<float> values(8 * kVocabulary, std::log(0.25f));
  const auto found = BeamSearch(Options(2, 0), {3}, [&](auto, auto tokens) {
    for (size_t row = 0; row < tokens.size(); ++row) {
      values[row * kVocabulary + kEnd] = -std::numeric_limits<float>::infinity();
    }
    return absl::MakeConstSpan(values).first(tokens.size() * kVocabulary);
  });
  EXPECT_EQ(found[0], Tokens({1, 1, 1}));
}

TEST(BeamSearchTest, NoSentencesAreNoWork) {
  EXPECT_TRUE(BeamSearch(Options(4, 0.6), {}, [](auto, auto) {
                ADD_FAILURE() << "asked for nothing";
                return absl::Span<const float>();
              }).empty());
}

}  // namespace
}  // namespace starling
