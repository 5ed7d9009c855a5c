#include "core/run/sinks/tensorboard/tfrecord.h"

#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace starling {
namespace {

constexpr uint32_t kReflectedPolynomial = 0x82f63b78;

// A byte at a time is enough for the few hundred bytes of a record.
constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = (remainder >> 1) ^ ((remainder & 1) ? kReflectedPolynomial : 0);
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

template <typename Unsigned>
std::string LittleEndian(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(value); ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

// Masked, because a checksum over data that holds its own checksum would be weak.
std::string MaskedChecksum(absl::string_view data) {
  const uint32_t crc = Crc32c(data);
  return LittleEndian(((crc >> 15) | (crc << 17)) + 0xa282ead8);
}

}  // namespace

std::string TfRecord(absl::string_view data) {
  const std::string length = LittleEndian(uint64_t{data.size()});
  return absl::StrCat(length, MaskedChecksum(length), data, MaskedChecksum(data));
}

uint32_t Crc32c(absl::string_view data) {
  uint32_t crc = 0xffffffff;
  for (const char c : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

}  // namespace starling
