// A file in memory without reading it: pages come from the disk when they are looked at, and
// processes share them.
#ifndef DATA_MAPPED_FILE_H_
#define DATA_MAPPED_FILE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED and other refusals name the path (FileError). The file must not
  // become shorter while it is mapped.
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(absl::string_view bytes) : bytes_(bytes) {}

  absl::string_view bytes_;
};

}  // namespace starling

#endif  // DATA_MAPPED_FILE_H_
