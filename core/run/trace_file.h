// The timeline of a run: trace.json, for chrome://tracing and ui.perfetto.dev. Valid JSON after
// every call, also when the process is killed.
#ifndef CORE_RUN_TRACE_FILE_H_
#define CORE_RUN_TRACE_FILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace starling {

// Thread-safe.
class TraceFile {
 public:
  // Makes `path`, which grows to `max_bytes` at most. Errors: FileError's.
  static absl::StatusOr<std::unique_ptr<TraceFile>> Create(std::string path, int64_t max_bytes);

  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  // Adds events, each a JSON object followed by ",\n". What would make the file too large is left
  // out, and from then on everything is, after one event that says so. A disk that refuses ends
  // the timeline too.
  void Append(absl::string_view events);

 private:
  TraceFile(int descriptor, int64_t max_bytes) : descriptor_(descriptor), max_bytes_(max_bytes) {}

  bool Write(absl::string_view events);

  const int descriptor_;
  const int64_t max_bytes_;
  std::mutex mutex_;
  int64_t size_ = 0;  // bytes before the last event's end
  bool full_ = false;
};

}  // namespace starling

#endif  // CORE_RUN_TRACE_FILE_H_
