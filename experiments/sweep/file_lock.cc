#include "experiments/sweep/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/run/file_io.h"

namespace starling {

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Try(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileError(errno, "write", path);
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    return std::unique_ptr<FileLock>(new FileLock(descriptor));
  }
  const int error = errno;
  close(descriptor);
  if (error == EWOULDBLOCK) return nullptr;
  return absl::FailedPreconditionError(
      absl::StrCat("cannot lock ", path, ": ", strerror(error),
                   "; a sweep needs a file system with locks (flock), as local ones, NFS 4 and "
                   "Lustre mounted with flock are"));
}

bool FileLock::IsHeld(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool held = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(descriptor);
  return held;
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace starling
