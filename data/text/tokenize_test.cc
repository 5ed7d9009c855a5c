#include "data/text/tokenize.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(TokenizeTest, ReadsCharactersOfEveryLength) {
  const auto characters = CharactersOf("a\n\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF");
  ASSERT_TRUE(characters.ok()) << characters.status();
  EXPECT_EQ(*characters, (std::vector<char32_t>{'a', '\n', 0xe9, 0x20ac, 0x1f600, 0x10ffff}));
}

TEST(TokenizeTest, NamesTheFirstByteThatIsNoUtf8) {
  const std::vector<std::string> wrong = {
      "\x80",  // continues nothing
      "\xC3",  // ends early
      "\xC3"
      "a",                 // is not continued
      "\xC0\x80",          // too long a spelling of 0
      "\xE0\x9F\xBF",      // and of 0x7ff
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // beyond the last
      "\xF8\x88\x80\x80\x80",
  };
  for (const std::string& bytes : wrong) {
    EXPECT_EQ(CharactersOf("ab" + bytes).status().message(), "byte 2 is no UTF-8") << bytes;
  }
}

TEST(TokenizeTest, WritesCharactersAsTheyAreRead) {
  for (char32_t c = 0; c <= 0x10ffff; c += c < 0x900 ? 1 : 251) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    const auto read = CharactersOf(Utf8(c));
    ASSERT_TRUE(read.ok()) << c;
    ASSERT_EQ(*read, std::vector<char32_t>{c});
  }
}

TEST(TokenizeTest, CutsBehindLines) {
  const std::string text = "ab\ncd\n\ne";
  const std::vector<size_t> expected = {0, 3, 3, 3, 6, 6, 6, 7, 8, 8};
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(BehindLine(text, i), expected[i]) << i;
}

}  // namespace
}  // namespace starling
