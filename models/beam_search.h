// Beam search: the sequence of tokens that a model finds most probable, nearly.
//
// Of every sentence the search keeps up to `beam` hypotheses, and in each step the best so many of
// all that continue them by one token, by the sum s of log probabilities. One that ends (with the
// token `end`, or because it is as long as it may become) leaves its place in the beam for good.
// The answer is the ended one with the best
//
//   s / ((5 + n) / 6)^length_penalty,      n = its tokens, `end` among them
//
// (Wu et al., "Google's neural machine translation system", 2016, equation 14, without coverage;
// beam 4 and penalty 0.6 in Vaswani et al., "Attention is all you need", 2017, section 6.1). A
// sentence is done when its beam is empty or nothing in it can become better than what has ended.
//
// Beam 1 is greedy search. A beam with room for all sequences finds the best. Of equal ones the
// earlier wins (by hypothesis, then by token), so that the answer is the same always; it does not
// depend on which sentences are searched together.
#ifndef MODELS_BEAM_SEARCH_H_
#define MODELS_BEAM_SEARCH_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"

namespace starling {

struct BeamSearchOptions {
  int beam = 4;
  double length_penalty = 0.6;
  int64_t begin = 0, end = 0;  // tokens
};

// The model as the search sees it: returns log probabilities of the next token, [hypotheses,
// vocabulary], valid until the next call; -infinity for what must not come. In the first call
// hypothesis i is that of sentence i, and tokens[i] is `begin`. In later ones hypothesis i
// continues hypothesis parents[i] of the call before by tokens[i]; those of a sentence stand
// together, the sentences in their order, without those that are done.
using NextLogProbabilities = std::function<absl::Span<const float>(
    absl::Span<const int64_t> parents, absl::Span<const int64_t> tokens)>;

// Returns, for each sentence, the tokens between `begin` and `end`. Sentence i has at most
// limits[i] >= 1 tokens, `end` among them if it gets that far.
std::vector<std::vector<int64_t>> BeamSearch(const BeamSearchOptions& options,
                                             absl::Span<const int64_t> limits,
                                             const NextLogProbabilities& next);

}  // namespace starling

#endif  // MODELS_BEAM_SEARCH_H_
