#include "data/gzip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/status.h"

namespace starling {

GzipReader::GzipReader(const std::string& path) : path_(path) {
  errno = 0;
  const gzFile file = gzopen(path.c_str(), "rb");
  open_errno_ = errno;
  // The default of 8 KiB costs a tenth of the reading time.
  if (file != nullptr) gzbuffer(file, 256 << 10);
  file_ = file;
}

GzipReader::~GzipReader() {
  if (file_ != nullptr) gzclose_r(static_cast<gzFile>(file_));
}

absl::Status GzipReader::OpenStatus() const {
  if (file_ != nullptr) return absl::OkStatus();
  return absl::ErrnoToStatus(open_errno_, absl::StrCat("cannot open ", path_));
}

absl::StatusOr<int64_t> GzipReader::Read(uint8_t* to, int64_t bytes) {
  int64_t have = 0;
  while (have < bytes) {
    const auto want = static_cast<unsigned>(std::min<int64_t>(bytes - have, 1 << 30));
    const int got = gzread(static_cast<gzFile>(file_), to + have, want);
    if (got > 0) {
      have += got;
      total_ += got;
    }
    if (got < static_cast<int>(want)) {
      RETURN_IF_ERROR(Error());
      break;
    }
  }
  return have;
}

absl::Status GzipReader::Error() {
  int code = Z_OK;
  absl::string_view message = gzerror(static_cast<gzFile>(file_), &code);
  if (code == Z_OK || code == Z_STREAM_END) return absl::OkStatus();
  if (code == Z_ERRNO) return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path_));
  if (code == Z_BUF_ERROR) {
    return absl::DataLossError(
        absl::StrCat(path_, " is a truncated gzip file: it ends in the middle, after ", total_,
                     " unpacked bytes"));
  }
  message = absl::StripPrefix(message, absl::StrCat(path_, ": "));
  return absl::DataLossError(absl::StrCat(path_, " cannot be unpacked, it is corrupt: gzip says \"",
                                          message, "\" after ", total_, " bytes"));
}

absl::StatusOr<std::string> ReadUnpacked(const std::string& path) {
  GzipReader file(path);
  RETURN_IF_ERROR(file.OpenStatus());
  std::string text;
  for (int64_t room = 1 << 20;; room *= 2) {
    const auto have = static_cast<int64_t>(text.size());
    text.resize(have + room);
    ASSIGN_OR_RETURN(const int64_t got, file.Read(reinterpret_cast<uint8_t*>(&text[have]), room));
    if (got == room) continue;
    text.resize(have + got);
    return text;
  }
}

}  // namespace starling
