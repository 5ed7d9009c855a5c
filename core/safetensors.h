// Files of named tensors that Python opens without our code: the safetensors format
// (https://huggingface.co/docs/safetensors, "Format").
//
//   8 bytes     n, little-endian
//   n bytes     JSON: {"__metadata__": {text: text}, NAME: {"dtype": "F32", "shape": [2, 3],
//               "data_offsets": [begin, end]}, ...}, padded with spaces to a multiple of 8
//   the rest    elements, little-endian, row-major; offsets count from here, and the tensors cover
//               every byte once
//
// Types are those of DType: F32, F64, F16, BF16, I32, I64 and U8.
#ifndef CORE_SAFETENSORS_H_
#define CORE_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"

namespace starling {

struct ShapedBuffer {
  std::vector<int64_t> shape;  // no axis: one element
  Buffer values;
};

using TensorMap = std::map<std::string, ShapedBuffer>;  // by name
using Metadata = std::map<std::string, std::string>;

// Writes `path` so that it appears whole or not at all (core/run/file_io.h) and returns the CRC-64
// of its bytes. A value's count must be the product of its shape. INVALID_ARGUMENT for a name or a
// text that is no UTF-8, or the name "__metadata__"; otherwise FileError's.
absl::StatusOr<uint64_t> WriteSafetensors(const std::string& path, const TensorMap& tensors,
                                          const Metadata& metadata);

// A file that is open for reading, mapped into memory: what is not touched is not read.
class SafetensorsFile {
 public:
  // Checks everything but the values. INVALID_ARGUMENT, in one sentence that names the file, for
  // what is cut short, overlaps, leaves gaps, has a type that is not among ours, or is no such
  // file at all; otherwise FileError's.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  // The values live as long as this file and are aligned to their size. Writing to them changes
  // this process's view only.
  const TensorMap& tensors() const { return tensors_; }
  const Metadata& metadata() const { return metadata_; }

  uint64_t checksum() const;  // CRC-64 of the whole file; reads it

 private:
  explicit SafetensorsFile(absl::string_view bytes) : bytes_(bytes) {}
  absl::Status Parse();
  ShapedBuffer ValuesAt(int64_t offset, std::vector<int64_t> shape, DType type, int64_t count);

  absl::string_view bytes_;  // the mapping
  TensorMap tensors_;
  Metadata metadata_;
  std::vector<Arena> realigned_;  // tensors that lie at odd addresses in the file
};

}  // namespace starling

#endif  // CORE_SAFETENSORS_H_
