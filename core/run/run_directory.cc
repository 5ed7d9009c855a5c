#include "core/run/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr char kLockName[] = ".lock";
constexpr char kStatusName[] = "STATUS";
constexpr char kUnfinishedStatus[] = ".STATUS.";  // as AtomicFile names it

// Whether `descriptor` is still what `path` names.
bool IsFile(int descriptor, const std::string& path) {
  struct stat opened, named;
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

// Path and parents one by one, so that an error names the part that is to blame.
absl::Status MakeDirectories(const std::string& path) {
  fs::path part;
  for (const fs::path& piece : fs::path(path)) {
    part /= piece;
    std::error_code error;
    if (fs::is_directory(part, error)) continue;
    // Asking first lets mkdir's own answer be "File exists", which helps nobody.
    if (fs::exists(part, error)) return FileError(ENOTDIR, "make", part.string());
    if (!fs::create_directory(part, error) && error) {
      return FileError(error.value(), "make", part.string());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEmpty(const std::string& path) {
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    // What a run leaves behind that was killed before it could say that it runs.
    const std::string name = entry->path().filename().string();
    if (name == kLockName || absl::StartsWith(name, kUnfinishedStatus)) continue;
    const std::string word = RunDirectory::StatusAt(path);
    return absl::FailedPreconditionError(absl::StrCat(
        "it is not empty (",
        word.empty() ? absl::StrCat("it holds ", entry->path().filename().string())
                     : absl::StrCat("it holds a run with status ", word),
        "), and a run never overwrites another; name a new directory with --run_dir=DIR, or remove "
        "this one first"));
  }
  if (error) return FileError(error.value(), "read", path);
  return absl::OkStatus();
}

absl::Status CheckHoldsRun(const std::string& path) {
  if (!RunDirectory::StatusAt(path).empty() || CheckEmpty(path).ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "it holds files but no run (no STATUS), so there is nothing to resume; --run_dir=DIR names "
      "the run's directory");
}

// Published constants of 64-bit FNV-1a: a hash that is the same on every machine.
uint64_t Fnv1a(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string AsFileName(absl::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') c = '_';
  }
  // A leading dot would hide the folder, or climb out of it.
  if (!result.empty() && result[0] == '.') result[0] = '_';
  return result;
}

}  // namespace

absl::string_view RunStatusName(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kDone:
      return "done";
    case RunStatus::kDiverged:
      return "diverged";
    case RunStatus::kFailed:
      return "failed";
    case RunStatus::kInterrupted:
      return "interrupted";
  }
  LOG(FATAL) << "no such status: " << static_cast<int>(status);
}

std::string UserPath(absl::string_view path) {
  const char* start = std::getenv("BUILD_WORKING_DIRECTORY");
  // Joining with an absolute path gives that path.
  return start == nullptr ? std::string(path) : (fs::path(start) / std::string(path)).string();
}

std::string RunDirectory::StatusAt(const std::string& path) {
  const absl::StatusOr<std::string> status = ReadFile(absl::StrCat(path, "/", kStatusName));
  return status.ok() ? std::string(absl::StripAsciiWhitespace(*status)) : "";
}

absl::StatusOr<std::unique_ptr<RunDirectory>> RunDirectory::Create(const std::string& path) {
  ASSIGN_OR_RETURN(auto directory, Lock(path, CheckEmpty));
  RETURN_IF_ERROR(
      WithContext(directory->SetStatus(RunStatus::kRunning), absl::StrCat("run directory ", path)));
  return directory;
}

absl::StatusOr<std::unique_ptr<RunDirectory>> RunDirectory::Open(const std::string& path) {
  return Lock(path, CheckHoldsRun);
}

absl::StatusOr<std::unique_ptr<RunDirectory>> RunDirectory::Lock(
    const std::string& path, absl::Status (*check)(const std::string& path)) {
  const std::string context = absl::StrCat("run directory ", path);
  RETURN_IF_ERROR(WithContext(MakeDirectories(path), context));
  // Once before the lock, so as to leave nothing in a directory that is not ours, ...
  RETURN_IF_ERROR(WithContext(check(path), context));
  const std::string lock_path = absl::StrCat(path, "/", kLockName);
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock < 0) return WithContext(FileError(errno, "write", lock_path), context);
  // Some network file systems have no locks; what remains there is that STATUS makes the
  // directory not empty.
  if ((flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) || !IsFile(lock, lock_path)) {
    close(lock);
    return absl::FailedPreconditionError(absl::StrCat(
        context,
        ": another process writes a run there; name another directory with --run_dir=DIR"));
  }
  // ... and once with it: another run may have come and gone in between.
  if (absl::Status status = check(path); !status.ok()) {
    close(lock);
    return WithContext(status, context);
  }
  return std::unique_ptr<RunDirectory>(new RunDirectory(path, lock));
}

std::string RunDirectory::DefaultPath(absl::string_view base, absl::string_view name,
                                      absl::string_view config_text) {
  const std::string time = absl::FormatTime("%Y%m%d-%H%M%S", absl::Now(), absl::LocalTimeZone());
  const std::string path = (fs::path(std::string(base)) / AsFileName(name) /
                            absl::StrFormat("%s-%06x", time, Fnv1a(config_text) >> 40))
                               .string();
  std::string unused = path;
  std::error_code error;  // a path that cannot be looked at is for Create to report
  for (int i = 2; fs::exists(unused, error); ++i) unused = absl::StrCat(path, "-", i);
  return unused;
}

RunDirectory::~RunDirectory() {
  // Removing a lock file is safe here: who opened it before finds that it has lost its name.
  unlink(File(kLockName).c_str());
  close(lock_);
}

std::string RunDirectory::File(absl::string_view name) const {
  return (fs::path(path_) / std::string(name)).string();
}

absl::Status RunDirectory::Write(absl::string_view name, absl::string_view contents) const {
  return WriteFileAtomically(File(name), contents);
}

absl::Status RunDirectory::SetStatus(RunStatus status) const {
  return Write(kStatusName, absl::StrCat(RunStatusName(status), "\n"));
}

}  // namespace starling
