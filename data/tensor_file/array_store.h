// Arrays by where they lie: "x.npy", "all.npz:x" or "all.safetensors:x".
#ifndef DATA_TENSOR_FILE_ARRAY_STORE_H_
#define DATA_TENSOR_FILE_ARRAY_STORE_H_

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "core/run/mapped_file.h"
#include "core/safetensors.h"
#include "data/npy.h"

namespace starling {

class ArrayStore {
 public:
  // Relative paths start in `directory`.
  explicit ArrayStore(std::string directory) : directory_(std::move(directory)) {}

  // The array at `place`: F32, F64, I32, I64 or Byte, row-major, to be read only. It lives as long
  // as the store. Errors are one sentence that names the file.
  absl::StatusOr<ShapedBuffer> Get(absl::string_view place);

 private:
  absl::StatusOr<ShapedBuffer> FromNpy(absl::string_view title, absl::string_view bytes);
  absl::StatusOr<ShapedBuffer> FromNpz(const std::string& path, const std::string& name);
  absl::StatusOr<ShapedBuffer> FromSafetensors(const std::string& path, const std::string& name);

  const std::string directory_;
  std::map<std::string, std::unique_ptr<NpzFile>> archives_;  // by path
  std::map<std::string, std::unique_ptr<SafetensorsFile>> safetensors_;
  std::list<std::unique_ptr<MappedFile>> mappings_;
  std::list<std::string> members_;  // of archives, unpacked
  std::list<Arena> realigned_;      // elements that lie at odd addresses in their file
};

}  // namespace starling

#endif  // DATA_TENSOR_FILE_ARRAY_STORE_H_
