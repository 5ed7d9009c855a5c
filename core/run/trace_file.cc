#include "core/run/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/run/file_io.h"

namespace starling {
namespace {

constexpr absl::string_view kBegin = "[\n";
constexpr absl::string_view kFirst = R"({"ph":"M","pid":0,"name":"starling","args":{}})";
constexpr absl::string_view kEnd = "\n]\n";
constexpr absl::string_view kFull =
    R"({"ph":"i","s":"g","pid":0,"tid":0,"ts":0,"name":"the timeline ends here: its file is full"})";

}  // namespace

absl::StatusOr<std::unique_ptr<TraceFile>> TraceFile::Create(std::string path, int64_t max_bytes) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return FileError(errno, "write", path);
  std::unique_ptr<TraceFile> file(new TraceFile(descriptor, max_bytes));
  const std::string begin = absl::StrCat(kBegin, kFirst, kEnd);
  if (write(descriptor, begin.data(), begin.size()) != static_cast<ssize_t>(begin.size())) {
    return FileError(errno, "write", path);
  }
  file->size_ = static_cast<int64_t>(kBegin.size() + kFirst.size());
  return file;
}

TraceFile::~TraceFile() { close(descriptor_); }

// One write replaces the end of the list, so that there is a valid list before and after it.
bool TraceFile::Write(absl::string_view events) {
  const std::string more = absl::StrCat(",\n", events, kEnd);
  if (pwrite(descriptor_, more.data(), more.size(), size_) != static_cast<ssize_t>(more.size())) {
    return false;
  }
  size_ += static_cast<int64_t>(2 + events.size());
  return true;
}

void TraceFile::Append(absl::string_view events) {
  absl::ConsumeSuffix(&events, ",\n");
  if (events.empty()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (full_) return;
  const int64_t reserved = static_cast<int64_t>(kFull.size() + kEnd.size() + 4);
  full_ = size_ + static_cast<int64_t>(events.size()) + reserved > max_bytes_;
  if (!Write(full_ ? kFull : events)) full_ = true;
}

}  // namespace starling
