// Checksums of files: they find every damage that disks and copies do, not forgeries.
#ifndef CORE_CHECKSUM_H_
#define CORE_CHECKSUM_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace starling {

// CRC-64/XZ (polynomial of ECMA-182, reflected): differs for certain between two texts of equal
// length whose first and last differing bits are at most 64 apart, so for every flipped bit.
class Crc64 {
 public:
  void Add(absl::string_view bytes);
  uint64_t value() const { return ~remainder_; }

 private:
  uint64_t remainder_ = ~uint64_t{0};
};

}  // namespace starling

#endif  // CORE_CHECKSUM_H_
