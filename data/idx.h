// IDX files, in which the data sets of the MNIST family come: one array of unsigned bytes.
//
//   bytes 0, 1     0
//   byte 2         type of the elements; 8 = unsigned byte, the only one read here
//   byte 3         number of axes
//   4 bytes each   extents of the axes, big-endian
//   the rest       elements, the last axis fastest
//
// Format: LeCun, Cortes, Burges, "The MNIST database of handwritten digits",
// http://yann.lecun.com/exdb/mnist/, "File formats".
#ifndef DATA_IDX_H_
#define DATA_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace starling {

struct IdxArray {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;  // as many as the product of `shape`
};

// Reads the file `path`, gzipped or not (its first bytes tell), which must hold an array with
// `axes` axes and nothing behind it.
//
// Errors are one sentence with the path, what was found and what was expected: NOT_FOUND or
// PERMISSION_DENIED if it cannot be opened, DATA_LOSS if it is corrupt, truncated, too long or no
// such IDX file. Allocates in proportion to the file, never to what a corrupt header claims.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path, int axes);

}  // namespace starling

#endif  // DATA_IDX_H_
