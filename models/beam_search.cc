#include "models/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "glog/logging.h"

namespace starling {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

struct Hypothesis {
  std::vector<int64_t> tokens;
  double score = 0;  // sum of log probabilities
  int64_t row = 0;   // in the latest call of the model
};

struct Candidate {
  double score;
  size_t hypothesis;
  int64_t token;
};

struct Sentence {
  std::vector<Hypothesis> beam{1};
  int ended = 0;
  std::vector<int64_t> best;  // of those that have ended
  double best_value = kNever;
};

double Penalty(const BeamSearchOptions& options, int64_t length) {
  return std::pow((5.0 + static_cast<double>(length)) / 6.0, options.length_penalty);
}

// The best `count` continuations, best first.
std::vector<Candidate> BestContinuations(const Sentence& sentence, size_t count,
                                         absl::Span<const float> log_probabilities,
                                         int64_t vocabulary) {
  std::vector<Candidate> best;
  for (size_t h = 0; h < sentence.beam.size(); ++h) {
    const Hypothesis& hypothesis = sentence.beam[h];
    const auto row = log_probabilities.subspan(hypothesis.row * vocabulary, vocabulary);
    for (int64_t token = 0; token < vocabulary; ++token) {
      const double score = hypothesis.score + static_cast<double>(row[token]);
      if (!(score > (best.size() < count ? kNever : best.back().score))) continue;
      if (best.size() == count) best.pop_back();
      const auto place = std::find_if(best.begin(), best.end(), [score](const Candidate& other) {
        return score > other.score;
      });
      best.insert(place, {score, h, token});
    }
  }
  return best;
}

// Continues the sentence's beam by one token.
void Continue(const BeamSearchOptions& options, int64_t limit,
              absl::Span<const float> log_probabilities, int64_t vocabulary, Sentence* sentence) {
  const auto candidates =
      BestContinuations(*sentence, options.beam - sentence->ended, log_probabilities, vocabulary);
  std::vector<Hypothesis> beam;
  for (const Candidate& candidate : candidates) {
    Hypothesis next = sentence->beam[candidate.hypothesis];
    next.score = candidate.score;
    const bool ends = candidate.token == options.end;
    const auto length = static_cast<int64_t>(next.tokens.size()) + 1;
    if (!ends) next.tokens.push_back(candidate.token);
    if (!ends && length < limit) {
      beam.push_back(std::move(next));
      continue;
    }
    ++sentence->ended;
    const double value = next.score / Penalty(options, length);
    if (value > sentence->best_value) {
      sentence->best_value = value;
      sentence->best = std::move(next.tokens);
    }
  }
  sentence->beam = std::move(beam);
  if (sentence->beam.empty()) return;
  // Scores only fall, and the longest sequence is divided by the most.
  const double hope = sentence->beam.front().score / Penalty(options, limit);
  if (sentence->best_value >= hope) sentence->beam.clear();
}

}  // namespace

std::vector<std::vector<int64_t>> BeamSearch(const BeamSearchOptions& options,
                                             absl::Span<const int64_t> limits,
                                             const NextLogProbabilities& next) {
  CHECK_GT(options.beam, 0);
  CHECK_GE(options.length_penalty, 0);
  std::vector<Sentence> sentences(limits.size());
  std::vector<int64_t> parents(limits.size()), tokens(limits.size(), options.begin);
  std::iota(parents.begin(), parents.end(), 0);
  for (size_t i = 0; i < sentences.size(); ++i) {
    CHECK_GT(limits[i], 0);
    sentences[i].beam[0].row = static_cast<int64_t>(i);
  }
  while (!tokens.empty()) {
    const auto log_probabilities = next(parents, tokens);
    const auto rows = static_cast<int64_t>(tokens.size());
    const auto vocabulary = static_cast<int64_t>(log_probabilities.size()) / rows;
    parents.clear();
    tokens.clear();
    for (size_t i = 0; i < sentences.size(); ++i) {
      if (sentences[i].beam.empty()) continue;
      Continue(options, limits[i], log_probabilities, vocabulary, &sentences[i]);
      for (Hypothesis& hypothesis : sentences[i].beam) {
        parents.push_back(hypothesis.row);
        tokens.push_back(hypothesis.tokens.back());
        hypothesis.row = static_cast<int64_t>(parents.size()) - 1;
      }
    }
  }
  std::vector<std::vector<int64_t>> found;
  for (Sentence& sentence : sentences) found.push_back(std::move(sentence.best));
  return found;
}

}  // namespace starling
