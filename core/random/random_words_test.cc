#include "core/random/random_words.h"

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/ops/testing.h"
#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr uint64_t kStream = 0x123456789abcdef0;

std::vector<uint32_t> Words(uint64_t first_block, size_t count) {
  std::vector<uint32_t> words(count, 7);
  FillRandomWords(kStream, first_block, absl::MakeSpan(words));
  return words;
}

TEST(RandomWordsTest, AreThoseOfRandomOnEveryVectorUnit) {
  std::vector<uint32_t> expected;
  Random random(kStream);
  for (int i = 0; i < 1000; ++i) expected.push_back(random.Next32());
  ops::ForEachVectorUnit([&](const char* unit) {
    SCOPED_TRACE(unit);
    EXPECT_EQ(Words(0, 1000), expected);
    EXPECT_EQ(Words(0, 999), std::vector<uint32_t>(expected.begin(), expected.end() - 1));
    EXPECT_EQ(Words(10, 47),
              std::vector<uint32_t>(expected.begin() + 40, expected.begin() + 40 + 47));
  });
}

TEST(RandomWordsTest, BlockNumbersHave64Bits) {
  ops::ForEachVectorUnit([&](const char* unit) {
    SCOPED_TRACE(unit);
    const uint64_t before = (uint64_t{5} << 32) - 30;
    const std::vector<uint32_t> across = Words(before, 400);
    for (uint32_t i = 0; i < 100; ++i) {
      const uint64_t block = before + i;
      const auto four =
          Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
                     {static_cast<uint32_t>(kStream), static_cast<uint32_t>(kStream >> 32)});
      for (uint32_t k = 0; k < 4; ++k) ASSERT_EQ(across[4 * i + k], four[k]) << i;
    }
  });
}

}  // namespace
}  // namespace starling
