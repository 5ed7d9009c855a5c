// The directory of one run:
//
//   config.textproto   resolved, complete, re-runnable       command.txt    what was typed
//   manifest.json      commit, versions, CPU, flags, times   STATUS         one word, below
//   metrics.jsonl/csv, events.out.tfevents.*                 summary.json   last, when it ended
//   source.patch       what was in no commit                 digests.jsonl  if asked for
//
// Files that say something about the whole run are written under a temporary name and renamed, so
// nothing half-written ever looks finished. While a process writes a run the directory also holds
// a file `.lock`; one that a kill left behind means nothing.
#ifndef CORE_RUN_RUN_DIRECTORY_H_
#define CORE_RUN_RUN_DIRECTORY_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/run/file_io.h"

namespace starling {

enum class RunStatus { kRunning, kDone, kDiverged, kFailed, kInterrupted };

// "running", "done", "diverged", "failed", "interrupted".
absl::string_view RunStatusName(RunStatus status);

// Returns `path` as a user means it: relative paths start where the user stands, which under
// `bazel run` is BUILD_WORKING_DIRECTORY.
std::string UserPath(absl::string_view path);

class RunDirectory {
 public:
  // Makes `path` and its parents, writes STATUS "running" and locks it against a second writer
  // (flock, gone with the process). FAILED_PRECONDITION if it is not empty or another process has
  // the lock: a run never overwrites another. Anything else is the system's refusal, with path
  // and reason and one of FileError's codes.
  static absl::StatusOr<std::unique_ptr<RunDirectory>> Create(const std::string& path);

  // The same for a directory that may hold a run already, which goes on: nothing but the lock
  // changes there, whoever writes sets the status. FAILED_PRECONDITION also if it holds something
  // that is no run.
  static absl::StatusOr<std::unique_ptr<RunDirectory>> Open(const std::string& path);

  // The word in STATUS of the run at `path`, "" if there is none.
  static std::string StatusAt(const std::string& path);

  // An unused path `<base>/<name>/<YYYYmmdd-HHMMSS>-<hash6>`, in local time and with a hash of
  // `config_text`, so that equal configs show; nothing is made. What is no letter, digit or one of
  // "._-" in `name` becomes "_". "-2", "-3" and so on follow where a run of the same second is.
  static std::string DefaultPath(absl::string_view base, absl::string_view name,
                                 absl::string_view config_text);

  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;  // path of a file inside

  absl::Status Write(absl::string_view name, absl::string_view contents) const;  // atomically
  absl::Status SetStatus(RunStatus status) const;

 private:
  static absl::StatusOr<std::unique_ptr<RunDirectory>> Lock(
      const std::string& path, absl::Status (*check)(const std::string& path));
  RunDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;  // file descriptor
};

}  // namespace starling

#endif  // CORE_RUN_RUN_DIRECTORY_H_
