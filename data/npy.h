// Arrays as numpy saves them
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): one in a .npy file,
// several by name in a .npz file, which is a zip archive of .npy files.
//
//   6 bytes     0x93 "NUMPY"
//   2 bytes     version: 1.0, 2.0 or 3.0
//   2 bytes     n, little-endian; from version 2.0 on 4 bytes
//   n bytes     {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
//   the rest    elements
#ifndef DATA_NPY_H_
#define DATA_NPY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"

struct zip;

namespace starling {

struct NpyArray {
  std::vector<int64_t> shape;  // row-major; no axis: one element
  DType type = DType::kF32;    // F32, F64, I32, I64 or Byte
  int64_t count = 0;           // elements
  absl::string_view elements;  // part of the file; perhaps not aligned
};

// Reads the header of `file`, the bytes of a .npy file. Errors are one sentence without the file's
// name: DATA_LOSS for what is cut short, too long or no .npy file, INVALID_ARGUMENT, with what to
// save instead, for other types, big-endian numbers and arrays in Fortran's order.
absl::StatusOr<NpyArray> ParseNpy(absl::string_view file);

// An open .npz file. Members may be compressed (numpy.savez_compressed).
class NpzFile {
 public:
  // Errors name the file: FileError's, or DATA_LOSS if it is no zip archive.
  static absl::StatusOr<std::unique_ptr<NpzFile>> Open(const std::string& path);

  ~NpzFile();
  NpzFile(const NpzFile&) = delete;
  NpzFile& operator=(const NpzFile&) = delete;

  // The names of its arrays, in the file's order.
  std::vector<std::string> names() const;

  // Returns the bytes of the array `name` as a .npy file. NOT_FOUND lists the arrays that are
  // there; DATA_LOSS if the archive is corrupt (every member has a checksum). Allocates in
  // proportion to what is unpacked, not to what the archive claims.
  absl::StatusOr<std::string> Read(absl::string_view name) const;

 private:
  NpzFile(std::string path, struct zip* archive) : path_(std::move(path)), archive_(archive) {}

  const std::string path_;
  struct zip* const archive_;
};

}  // namespace starling

#endif  // DATA_NPY_H_
