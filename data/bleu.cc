#include "data/bleu.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/types/span.h"

namespace starling {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPeriodOrComma(char c) { return c == '.' || c == ','; }

// ASCII punctuation (and the blank) but for ' , - and .
bool StandsAlone(char c) {
  return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// Puts blanks around or between each two neighbours for which `matches(first, second)` holds, from
// left to right; those two then have no other neighbours (as a regular expression replaces).
template <typename Matches>
std::string SplitPairs(const std::string& text, absl::string_view before, absl::string_view behind,
                       const Matches& matches) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      out.append(before.data(), before.size());
      out += text[i];
      out += ' ';
      out += text[++i];
      out.append(behind.data(), behind.size());
    } else {
      out += text[i];
    }
  }
  return out;
}

// Bytes of the white space, in the sense of Unicode, that `text` begins with; 0: none.
size_t WhiteSpace(absl::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  if (byte(0) == ' ' || (byte(0) >= 0x09 && byte(0) <= 0x0d) ||
      (byte(0) >= 0x1c && byte(0) <= 0x1f)) {
    return 1;
  }
  if (byte(0) == 0xc2) return byte(1) == 0x85 || byte(1) == 0xa0 ? 2 : 0;  // U+0085, U+00A0
  const unsigned three = byte(0) << 16 | byte(1) << 8 | byte(2);
  const bool space = three == 0xe19a80 ||                         // U+1680
                     (three >= 0xe28080 && three <= 0xe2808a) ||  // U+2000 to U+200A
                     three == 0xe280a8 || three == 0xe280a9 ||    // U+2028, U+2029
                     three == 0xe280af || three == 0xe2819f ||    // U+202F, U+205F
                     three == 0xe38080;                           // U+3000
  return space ? 3 : 0;
}

std::vector<std::string> Words(absl::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (size_t i = 0; i < text.size();) {
    const size_t space = WhiteSpace(text.substr(i));
    if (space == 0) {
      word += text[i++];
      continue;
    }
    if (!word.empty()) words.push_back(std::exchange(word, {}));
    i += space;
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// How often each n-gram stands in `tokens`, the tokens of which hold no blank.
std::map<std::string, int64_t> Ngrams(absl::Span<const std::string> tokens, size_t n) {
  std::map<std::string, int64_t> counts;
  for (size_t i = 0; i + n <= tokens.size(); ++i) {
    ++counts[absl::StrJoin(tokens.subspan(i, n), " ")];
  }
  return counts;
}

}  // namespace

std::vector<std::string> Tokenize13a(absl::string_view sentence) {
  std::string text = absl::StrReplaceAll(sentence, {{"<skipped>", ""}});
  // One after the other: what one makes another may find.
  for (const auto& [name, sign] : {std::pair<absl::string_view, absl::string_view>{"&quot;", "\""},
                                   {"&amp;", "&"},
                                   {"&lt;", "<"},
                                   {"&gt;", ">"}}) {
    text = absl::StrReplaceAll(text, {{name, sign}});
  }
  std::string spaced = " ";
  for (char c : text) {
    if (StandsAlone(c)) {
      spaced += ' ';
      spaced += c;
      spaced += ' ';
    } else {
      spaced += c;
    }
  }
  spaced += ' ';
  spaced = SplitPairs(spaced, "", " ", [](char first, char second) {
    return !IsDigit(first) && IsPeriodOrComma(second);
  });
  spaced = SplitPairs(spaced, " ", "", [](char first, char second) {
    return IsPeriodOrComma(first) && !IsDigit(second);
  });
  spaced = SplitPairs(spaced, "", " ",
                      [](char first, char second) { return IsDigit(first) && second == '-'; });
  return Words(spaced);
}

void BleuCounts::Add(absl::string_view translation, absl::string_view reference) {
  const auto translated = Tokenize13a(translation), expected = Tokenize13a(reference);
  translation_tokens += static_cast<int64_t>(translated.size());
  reference_tokens += static_cast<int64_t>(expected.size());
  for (int order = 0; order < kOrders; ++order) {
    const auto in_reference = Ngrams(expected, order + 1);
    for (const auto& [ngram, count] : Ngrams(translated, order + 1)) {
      ngrams[order] += count;
      const auto found = in_reference.find(ngram);
      if (found != in_reference.end()) matches[order] += std::min(count, found->second);
    }
  }
}

double BleuCounts::Score() const {
  const auto none = [](int64_t count) { return count == 0; };
  if (std::all_of(matches.begin(), matches.end(), none)) return 0;
  if (std::any_of(ngrams.begin(), ngrams.end(), none)) return 0;
  double log_precision = 0, unmatched = 1;
  for (int order = 0; order < kOrders; ++order) {
    const auto all = static_cast<double>(ngrams[order]);
    if (matches[order] == 0) unmatched *= 2;
    const double precision =
        matches[order] == 0 ? 1 / (unmatched * all) : static_cast<double>(matches[order]) / all;
    log_precision += std::log(precision) / kOrders;
  }
  const double shortfall = 1 - static_cast<double>(reference_tokens) /
                                   static_cast<double>(std::max<int64_t>(translation_tokens, 1));
  return 100 * std::exp(log_precision + std::min(shortfall, 0.0));
}

}  // namespace starling
