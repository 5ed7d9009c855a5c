#include "core/checksum.h"

#include <string>

#include "gtest/gtest.h"

namespace starling {
namespace {

uint64_t Crc64Of(absl::string_view bytes) {
  Crc64 crc;
  crc.Add(bytes);
  return crc.value();
}

// The definition, bit by bit.
uint64_t SlowCrc64(absl::string_view bytes) {
  uint64_t remainder = ~uint64_t{0};
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = ((remainder ^ (static_cast<uint8_t>(c) >> bit)) & 1) != 0;
      remainder = (remainder >> 1) ^ (carry ? 0xc96c5795d7870f42 : 0);
    }
  }
  return ~remainder;
}

std::string Bytes(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(i * i * 37 + i));
  return bytes;
}

// The check value that catalogues of CRCs give for CRC-64/XZ.
TEST(Crc64Test, CheckValue) { EXPECT_EQ(Crc64Of("123456789"), 0x995dc9bbdf1939fa); }

TEST(Crc64Test, EveryLengthAsDefined) {
  for (int count = 0; count < 70; ++count) {
    EXPECT_EQ(Crc64Of(Bytes(count)), SlowCrc64(Bytes(count))) << count;
  }
}

TEST(Crc64Test, PiecesDoNotMatter) {
  const std::string bytes = Bytes(100);
  for (int cut = 0; cut <= 100; ++cut) {
    Crc64 crc;
    crc.Add(bytes.substr(0, cut));
    crc.Add(bytes.substr(cut));
    EXPECT_EQ(crc.value(), Crc64Of(bytes)) << cut;
  }
}

}  // namespace
}  // namespace starling
