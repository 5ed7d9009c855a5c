#include "core/run/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/run/file_io.h"

namespace starling {

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError(errno, "read", path);
  struct stat facts;
  int error = fstat(descriptor, &facts) == 0 ? 0 : errno;
  if (error == 0 && S_ISDIR(facts.st_mode)) error = EISDIR;
  void* bytes = nullptr;
  if (error == 0 && facts.st_size > 0) {
    bytes = mmap(nullptr, facts.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) error = errno;
  }
  close(descriptor);
  if (error != 0) return FileError(error, "read", path);
  return std::unique_ptr<MappedFile>(
      new MappedFile({static_cast<const char*>(bytes), static_cast<size_t>(facts.st_size)}));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace starling
