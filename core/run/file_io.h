// Files as a run reads and writes them: errors that name path and reason, files that are old or
// new but never half, and files that only grow.
#ifndef CORE_RUN_FILE_IO_H_
#define CORE_RUN_FILE_IO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// "cannot <action> <path>: <reason>" for an `errno` value. NOT_FOUND for something that is missing
// or lies below a file, PERMISSION_DENIED also for a read-only file system, RESOURCE_EXHAUSTED
// for a full one, UNKNOWN for the rest.
absl::Status FileError(int error, absl::string_view action, absl::string_view path);

// What a write waits for: that a crash of the machine cannot undo it (milliseconds), or only that
// others see it.
enum class Until { kOnDisk, kVisible };

// A file that appears under its name whole or not at all, by default also after a crash: written
// under a temporary name (hidden, in the same directory), on the disk before it is renamed.
class AtomicFile {
 public:
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(std::string path);
  ~AtomicFile();  // without a Commit that succeeded, nothing stays
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Errors name path and reason, as FileError does.
  absl::Status Append(absl::string_view bytes);
  // Once, last; replaces what had the name before.
  absl::Status Commit(Until until = Until::kOnDisk);

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  std::string path_, temporary_;
  int descriptor_;
};

// Writes `contents` to `path` as an AtomicFile: a reader sees the old file or the whole new one.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents,
                                 Until until = Until::kOnDisk);

// Reads a whole file. NOT_FOUND and PERMISSION_DENIED name the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// A file that grows by whole records. Each one reaches the system in one go, so that the file
// holds whole records when the process is killed between two calls; nothing is kept back here.
class AppendFile {
 public:
  // Opens or makes `path`. Of what it holds the first `keep` bytes are kept.
  static absl::StatusOr<std::unique_ptr<AppendFile>> Open(std::string path,
                                                          int64_t keep = INT64_MAX);

  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }  // bytes, the ones found by Open included

  // Adds `record`, all of it or, on an error such as a full disk, nothing.
  absl::Status Append(absl::string_view record);

  // Waits until everything is on the disk, safe from a crash of the machine.
  absl::Status Sync();

 private:
  AppendFile(std::string path, int descriptor, int64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

  std::string path_;
  int descriptor_;
  int64_t size_;
};

}  // namespace starling

#endif  // CORE_RUN_FILE_IO_H_
