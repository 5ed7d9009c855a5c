// Files, gzipped or not, read from their beginning.
#ifndef DATA_GZIP_READER_H_
#define DATA_GZIP_READER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace starling {

// Unpacks what is gzipped and hands anything else on as it is.
class GzipReader {
 public:
  explicit GzipReader(const std::string& path);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // Whether the file could be opened; ask before reading.
  absl::Status OpenStatus() const;

  // Reads up to `bytes` bytes; fewer only at the end of the file. DATA_LOSS if gzip finds the
  // file corrupt or cut off.
  absl::StatusOr<int64_t> Read(uint8_t* to, int64_t bytes);

  int64_t total() const { return total_; }  // unpacked bytes so far

 private:
  absl::Status Error();

  const std::string path_;
  void* file_ = nullptr;  // a gzFile
  int open_errno_ = 0;
  int64_t total_ = 0;
};

// The whole file, unpacked.
absl::StatusOr<std::string> ReadUnpacked(const std::string& path);

}  // namespace starling

#endif  // DATA_GZIP_READER_H_
