// From text to token ids: characters and bytes. (SentencePiece: data/sentencepiece.h.)
#ifndef DATA_TEXT_TOKENIZE_H_
#define DATA_TEXT_TOKENIZE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// The characters of UTF-8 text, as code points. INVALID_ARGUMENT names the first byte that is none
// (by its number from 0).
absl::StatusOr<std::vector<char32_t>> CharactersOf(absl::string_view text);

// The character as UTF-8.
std::string Utf8(char32_t character);

// Returns the position behind the line in which `position` falls: position itself if a line begins
// there, text.size() if no line ends behind it.
size_t BehindLine(absl::string_view text, size_t position);

}  // namespace starling

#endif  // DATA_TEXT_TOKENIZE_H_
