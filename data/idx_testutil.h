// Writes IDX files for tests.
#ifndef DATA_IDX_TESTUTIL_H_
#define DATA_IDX_TESTUTIL_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace starling {

// The bytes of an IDX file of unsigned bytes. `shape` is written as it is, also where it does not
// fit `values`.
std::string IdxBytes(absl::Span<const uint32_t> shape, absl::Span<const uint8_t> values);

// `bytes` as a gzip file would hold them.
std::string Gzipped(const std::string& bytes);

// Writes `bytes` to `path`, as they are. CHECK-fails if that fails.
void WriteBytes(const std::string& path, const std::string& bytes);

}  // namespace starling

#endif  // DATA_IDX_TESTUTIL_H_
