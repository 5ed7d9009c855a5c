#include "data/text/tokenize.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace starling {

absl::StatusOr<std::vector<char32_t>> CharactersOf(absl::string_view text) {
  std::vector<char32_t> characters;
  characters.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    const int length = first < 0x80   ? 1
                       : first < 0xc0 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                                      : 4;
    // The smallest character that needs so many bytes: longer spellings are not UTF-8.
    constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    char32_t character = length == 1 ? first : first & (0x7f >> length);
    bool good = length > 0 && first < 0xf8 && i + length <= text.size();
    for (int k = 1; good && k < length; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      good = (next & 0xc0) == 0x80;
      character = character << 6 | (next & 0x3f);
    }
    good = good && character >= kSmallest[length] && character <= 0x10ffff &&
           (character < 0xd800 || character > 0xdfff);
    if (!good) return absl::InvalidArgumentError(absl::StrCat("byte ", i, " is no UTF-8"));
    characters.push_back(character);
    i += length;
  }
  return characters;
}

std::string Utf8(char32_t character) {
  if (character < 0x80) return std::string(1, static_cast<char>(character));
  std::string rest;
  char32_t left = character;
  char32_t room = 0x40;  // of the first byte; each byte that follows takes one bit of it
  while (left >= room) {
    rest.insert(rest.begin(), static_cast<char>(0x80 | (left & 0x3f)));
    left >>= 6;
    room = room == 0x40 ? 0x20 : room >> 1;
  }
  const auto marks = static_cast<uint32_t>(0xff00 >> (rest.size() + 1));
  return static_cast<char>((marks & 0xff) | left) + rest;
}

size_t BehindLine(absl::string_view text, size_t position) {
  if (position == 0 || position >= text.size()) return std::min(position, text.size());
  const size_t end = text.find('\n', position - 1);
  return end == absl::string_view::npos ? text.size() : end + 1;
}

}  // namespace starling
