// For tests: new directories, and a disk that is full, also for root.
#ifndef CORE_RUN_TEST_FILES_H_
#define CORE_RUN_TEST_FILES_H_

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <string>

#include "glog/logging.h"
#include "gtest/gtest.h"

namespace starling {

// Returns the path of a new empty directory.
inline std::string NewDirectory() {
  std::string path = ::testing::TempDir() + "starling_XXXXXX";
  PCHECK(mkdtemp(path.data()) != nullptr) << path;
  return path;
}

// While it lives, this process can make no file longer than `bytes`: a write stops there and then
// fails with EFBIG. Keep expectations out of its scope, for they may write to a log file.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    PCHECK(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    handler_ = signal(SIGXFSZ, SIG_IGN);
    PCHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    PCHECK(setrlimit(RLIMIT_FSIZE, &before_) == 0);
    signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_;
  void (*handler_)(int);
};

}  // namespace starling

#endif  // CORE_RUN_TEST_FILES_H_
