#include "data/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/run/file_io.h"

namespace starling {

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return FileError(errno, "read", path);
  struct stat facts;
  int error = fstat(file, &facts) != 0 ? errno : 0;
  if (error == 0 && S_ISDIR(facts.st_mode)) error = EISDIR;
  void* data = nullptr;  // of an empty file, which cannot be mapped
  if (error == 0 && facts.st_size > 0) {
    data = mmap(nullptr, facts.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) error = errno;
  }
  close(file);
  if (error != 0) return FileError(error, "read", path);
  return std::unique_ptr<MappedFile>(
      new MappedFile(absl::string_view(static_cast<const char*>(data), facts.st_size)));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace starling
