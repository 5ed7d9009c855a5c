#include "core/checksum.h"

#include <array>
#include <cstring>

namespace starling {
namespace {

constexpr uint64_t kReflectedPolynomial = 0xc96c5795d7870f42;

// kTables[k][b]: the remainder of byte b followed by k bytes of zeros, for eight bytes at a time.
using Tables = std::array<std::array<uint64_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) ? kReflectedPolynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (int k = 1; k < 8; ++k) {
    for (int byte = 0; byte < 256; ++byte) {
      const uint64_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

}  // namespace

void Crc64::Add(absl::string_view bytes) {
  uint64_t remainder = remainder_;
  const char* next = bytes.data();
  const char* const end = next + bytes.size();
  for (; end - next >= 8; next += 8) {
    uint64_t word;
    std::memcpy(&word, next, sizeof(word));  // little-endian, as every machine we build for
    word ^= remainder;
    remainder = 0;
    for (int k = 0; k < 8; ++k) remainder ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; next != end; ++next) {
    remainder = (remainder >> 8) ^ kTables[0][(remainder ^ static_cast<uint8_t>(*next)) & 0xff];
  }
  remainder_ = remainder;
}

}  // namespace starling
