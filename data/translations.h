// What data for translation have beside their tokens.
//
// Sentences are sequences of tokens of one vocabulary for both languages. A data set with fields
// {"source", [-1], I64}, {"target_in", [-1], I64}, {"target_out", [-1], I64} holds pairs of them,
// each field padded at its end to the longest of the batch:
//
//   source      source tokens, kEnd
//   target_in   kBegin, target tokens      what the model may look at
//   target_out  target tokens, kEnd        what it is to say next, place by place
#ifndef DATA_TRANSLATIONS_H_
#define DATA_TRANSLATIONS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/dataset.h"

namespace starling {

constexpr int64_t kPadding = 0;  // no token: fills up a batch
constexpr int64_t kUnknown = 1;
constexpr int64_t kBegin = 2;
constexpr int64_t kEnd = 3;

// The target language as text. Thread-safe.
class Translations {
 public:
  virtual ~Translations() = default;

  // The target sentence of an example of the validation or test split, as its author wrote it.
  virtual absl::string_view Reference(Split split, int64_t example) const = 0;

  // What `tokens`, all below the vocabulary, read as: pieces joined into words, as an author
  // writes them. kPadding, kBegin and kEnd read as nothing.
  virtual std::string Text(absl::Span<const int64_t> tokens) const = 0;
};

}  // namespace starling

#endif  // DATA_TRANSLATIONS_H_
