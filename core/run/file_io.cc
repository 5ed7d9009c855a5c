#include "core/run/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

// Not absl::ErrnoToStatusCode: it calls a read-only file system a failed precondition, as it
// does a path below a file, and both are more useful under the names that users know.
absl::StatusCode FileErrorCode(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnknown;
  }
}

// Writes all of `data`. Returns 0, or the `errno` of the write that failed.
int WriteFully(int descriptor, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(descriptor, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    data.remove_prefix(written);
  }
  return 0;
}

// Contents are on the disk before the caller renames: else a crash could leave an empty file
// under the final name.
int Write(const std::string& path, absl::string_view contents, Until until) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return errno;
  int error = WriteFully(file, contents);
  if (error == 0 && until == Until::kOnDisk && fsync(file) != 0) error = errno;
  if (close(file) != 0 && error == 0) error = errno;
  return error;
}

}  // namespace

absl::Status FileError(int error, absl::string_view action, absl::string_view path) {
  // Not strerror, which is not safe to call from several threads.
  return absl::Status(FileErrorCode(error), absl::StrCat("cannot ", action, " ", path, ": ",
                                                         std::generic_category().message(error)));
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, Until until) {
  static std::atomic<int64_t> counter{0};  // threads may write the same file
  const std::string directory = fs::path(path).parent_path().string();
  const std::string temporary =
      (fs::path(directory) /
       absl::StrCat(".", fs::path(path).filename().string(), ".", getpid(), ".", counter++))
          .string();

  int error = Write(temporary, contents, until);
  if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    unlink(temporary.c_str());
    return FileError(error, "write", path);
  }
  if (until == Until::kVisible) return absl::OkStatus();
  // The new name reaches the disk with its directory. Not all file systems can be asked for that,
  // and the file is whole either way.
  const int parent = open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return FileError(errno, "read", path);
  std::string contents;
  char chunk[1 << 16];
  for (;;) {
    const ssize_t count = read(file, chunk, sizeof(chunk));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      close(file);
      return FileError(error, "read", path);
    }
    if (count == 0) break;
    contents.append(chunk, count);
  }
  close(file);
  return contents;
}

absl::StatusOr<std::unique_ptr<AppendFile>> AppendFile::Open(std::string path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileError(errno, "write", path);
  struct stat facts;
  PCHECK(fstat(descriptor, &facts) == 0) << path;
  return std::unique_ptr<AppendFile>(new AppendFile(std::move(path), descriptor, facts.st_size));
}

AppendFile::~AppendFile() { close(descriptor_); }

absl::Status AppendFile::Append(absl::string_view record) {
  if (const int error = WriteFully(descriptor_, record); error != 0) {
    // A full disk can take the beginning of a record; shortening a file needs no space. Where
    // even that fails there is nothing better to report than the first error.
    [[maybe_unused]] const int ignored = ftruncate(descriptor_, size_);
    return FileError(error, "write", path_);
  }
  size_ += static_cast<int64_t>(record.size());
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() {
  // EINVAL: a pipe or a device, which has no disk to wait for.
  if (fdatasync(descriptor_) != 0 && errno != EINVAL) return FileError(errno, "write", path_);
  return absl::OkStatus();
}

}  // namespace starling
