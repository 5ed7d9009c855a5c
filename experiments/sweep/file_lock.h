// Locks between processes that end with the process that holds them, however it ends.
#ifndef EXPERIMENTS_SWEEP_FILE_LOCK_H_
#define EXPERIMENTS_SWEEP_FILE_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace starling {

// An exclusive lock (flock) on a file that is made for it and stays.
class FileLock {
 public:
  // Null if another process, or another FileLock of this one, has the lock. FAILED_PRECONDITION for
  // a file system without locks: it says so.
  static absl::StatusOr<std::unique_ptr<FileLock>> Try(const std::string& path);

  // Whether someone has the lock. False without a file.
  static bool IsHeld(const std::string& path);

  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_FILE_LOCK_H_
