#include "data/idx.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/status.h"
#include "data/gzip_reader.h"

namespace starling {
namespace {

absl::Status Broken(const std::string& path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(path, " ", what));
}

std::string Hex(absl::Span<const uint8_t> bytes) {
  return absl::StrJoin(
      bytes, " ", [](std::string* out, uint8_t byte) { absl::StrAppendFormat(out, "%02x", byte); });
}

// Reads exactly bytes.size() bytes of the header.
absl::Status ReadHeader(GzipReader* file, const std::string& path, int64_t header_bytes,
                        absl::Span<uint8_t> bytes) {
  ASSIGN_OR_RETURN(const int64_t got, file->Read(bytes.data(), static_cast<int64_t>(bytes.size())));
  if (got == static_cast<int64_t>(bytes.size())) return absl::OkStatus();
  return Broken(path, absl::StrCat("is truncated: it ends after ", file->total(),
                                   " bytes, inside its IDX header of ", header_bytes, " bytes"));
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path, int axes) {
  GzipReader file(path);
  RETURN_IF_ERROR(file.OpenStatus());

  const int64_t header_bytes = 4 + 4 * axes;
  std::vector<uint8_t> magic(4);
  RETURN_IF_ERROR(ReadHeader(&file, path, header_bytes, absl::MakeSpan(magic)));
  const std::vector<uint8_t> expected = {0, 0, 8, static_cast<uint8_t>(axes)};
  if (magic != expected) {
    return Broken(path, absl::StrCat("starts with the bytes ", Hex(magic), "; an IDX file of ",
                                     "unsigned bytes with ", axes, axes == 1 ? " axis" : " axes",
                                     " starts with ", Hex(expected)));
  }
  std::vector<uint8_t> extents(4 * axes);
  RETURN_IF_ERROR(ReadHeader(&file, path, header_bytes, absl::MakeSpan(extents)));

  IdxArray array;
  int64_t claimed = 1;
  bool absurd = false;
  for (int axis = 0; axis < axes; ++axis) {
    int64_t extent = 0;
    for (int i = 0; i < 4; ++i) extent = extent << 8 | extents[4 * axis + i];
    array.shape.push_back(extent);
    absurd = absurd || __builtin_mul_overflow(claimed, extent, &claimed);
  }
  const std::string claim =
      absl::StrCat("its header says ", absl::StrJoin(array.shape, " x "), " bytes of data");
  if (absurd) return Broken(path, absl::StrCat("is corrupt: ", claim));

  // Twice the file's length holds most gzipped images at once; a file that unpacks to more is
  // followed in doubling steps.
  std::error_code unknown;
  const auto length = static_cast<int64_t>(std::filesystem::file_size(path, unknown));
  const int64_t first = unknown ? 1 << 20 : std::max<int64_t>(2 * length, 1 << 20);
  int64_t have = 0;
  while (have < claimed) {
    array.values.resize(std::min(claimed, std::max(first, 2 * have)));
    const int64_t room = static_cast<int64_t>(array.values.size()) - have;
    ASSIGN_OR_RETURN(const int64_t got, file.Read(array.values.data() + have, room));
    have += got;
    if (got < room) {
      return Broken(path, absl::StrCat("is truncated: ", claim, ", and only ", have, " are there"));
    }
  }

  // Reading on to the end also makes zlib compare the checksum.
  uint8_t more;
  ASSIGN_OR_RETURN(const int64_t behind, file.Read(&more, 1));
  if (behind != 0) return Broken(path, absl::StrCat("is too long: ", claim, ", and more follow"));
  return array;
}

}  // namespace starling
