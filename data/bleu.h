// BLEU, the measure of translations, as SacreBLEU computes it by default (Papineni et al., "BLEU: a
// method for automatic evaluation of machine translation", ACL 2002; Post, "A call for clarity in
// reporting BLEU scores", WMT 2018; signature nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp):
//
//   BLEU = 100 bp (p_1 p_2 p_3 p_4)^(1/4)      bp = min(1, exp(1 - r / c))
//
// p_n: the part of the translations' n-grams that are in their references, each at most as often as
// there; c and r: tokens of all translations and of all references. Sums go over the whole corpus.
// The k-th p_n without a match counts as 1 / (2^k n-grams), unless no n-gram of any length matches:
// then BLEU is 0, and so it is where no translation has four tokens.
#ifndef DATA_BLEU_H_
#define DATA_BLEU_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace starling {

// The tokens of a sentence (UTF-8, one line) by the rules of NIST's mteval-v13a: punctuation stands
// alone, but for periods and commas between digits, hyphens not behind digits, and apostrophes.
std::vector<std::string> Tokenize13a(absl::string_view sentence);

// What BLEU needs of a corpus; sums of it over parts are that of the whole.
struct BleuCounts {
  static constexpr int kOrders = 4;
  std::array<int64_t, kOrders> matches{}, ngrams{};  // by n - 1, in the translations
  int64_t translation_tokens = 0, reference_tokens = 0;

  // Adds one sentence, as text.
  void Add(absl::string_view translation, absl::string_view reference);

  double Score() const;  // 0 to 100
};

}  // namespace starling

#endif  // DATA_BLEU_H_
