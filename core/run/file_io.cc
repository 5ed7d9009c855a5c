#include "core/run/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

// Names reach the disk with their directory. Not all file systems can be asked for that, and a file
// is whole either way.
void SyncDirectory(const std::string& path) {
  const int directory = open(path.empty() ? "." : path.c_str(), O_RDONLY | O_CLOEXEC);
  if (directory < 0) return;
  fsync(directory);
  close(directory);
}

}  // namespace

absl::Status FileError(int error, absl::string_view action, absl::string_view path) {
  // Not strerror, which is not safe to call from several threads.
  return absl::Status(FileErrorCode(error), absl::StrCat("cannot ", action, " ", path, ": ",
                                                         std::generic_category().message(error)));
}

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(std::string path) {
  static std::atomic<int64_t> counter{0};  // threads may write the same file
  const fs::path final_path(path);
  std::string temporary =
      (final_path.parent_path() /
       absl::StrCat(".", final_path.filename().string(), ".", getpid(), ".", counter++))
          .string();
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return FileError(errno, "write", path);
  return std::unique_ptr<AtomicFile>(new AtomicFile(std::move(path), std::move(temporary), file));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Append(absl::string_view bytes) {
  const int error = WriteFully(descriptor_, bytes);
  return error == 0 ? absl::OkStatus() : FileError(error, "write", path_);
}

absl::Status AtomicFile::Commit(Until until) {
  // Contents are on the disk before the name: else a crash could leave an empty file under it.
  int error = until == Until::kVisible || fsync(descriptor_) == 0 ? 0 : errno;
  if (close(std::exchange(descriptor_, -1)) != 0 && error == 0) error = errno;
  if (error == 0 && rename(temporary_.c_str(), path_.c_str()) != 0) error = errno;
  if (error != 0) return FileError(error, "write", path_);
  temporary_.clear();
  if (until == Until::kOnDisk) SyncDirectory(fs::path(path_).parent_path().string());
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents, Until until) {
  auto file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  const absl::Status written = (*file)->Append(contents);
  return written.ok() ? (*file)->Commit(until) : written;
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

absl::StatusOr<std::unique_ptr<AppendFile>> AppendFile::Open(std::string path, int64_t keep) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileError(errno, "write", path);
  struct stat facts;
  PCHECK(fstat(descriptor, &facts) == 0) << path;
  if (facts.st_size > keep && ftruncate(descriptor, keep) != 0) {
    const int error = errno;
    close(descriptor);
    return FileError(error, "write", path);
  }
  const int64_t size = std::min<int64_t>(facts.st_size, keep);
  return std::unique_ptr<AppendFile>(new AppendFile(std::move(path), descriptor, size));
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
