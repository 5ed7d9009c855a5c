// A file seen as memory: what is not touched is not read, and processes share what is.
#ifndef CORE_RUN_MAPPED_FILE_H_
#define CORE_RUN_MAPPED_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

class MappedFile {
 public:
  // Errors name path and reason, as FileError does (file_io.h).
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // The file's bytes; they start at a page and may be written to, which changes this process's view
  // and not the file.
  absl::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(absl::string_view bytes) : bytes_(bytes) {}

  const absl::string_view bytes_;
};

}  // namespace starling

#endif  // CORE_RUN_MAPPED_FILE_H_
