#include "data/npy_testutil.h"

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace starling {
namespace {

void AppendLittleEndian(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// Deflated without zlib's own header and checksum, as in zip files.
std::string Deflated(const std::string& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string NpyFile(absl::string_view header, absl::string_view elements) {
  constexpr size_t kFront = 10, kAlignment = 64;
  std::string padded(header);
  while ((kFront + padded.size() + 1) % kAlignment != 0) padded += ' ';
  padded += '\n';
  std::string file = "\x93NUMPY";
  file += std::string("\1\0", 2);
  AppendLittleEndian(&file, padded.size(), 2);
  return absl::StrCat(file, padded, elements);
}

std::string NpyHeader(absl::string_view descr, absl::Span<const int64_t> shape) {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (",
                      absl::StrJoin(shape, ", "), shape.size() == 1 ? "," : "", "), }");
}

// Zip (PKWARE's APPNOTE.TXT, 4.3): for each member a local header and its bytes, then a directory,
// then where the directory lies.
std::string ZipOf(const std::vector<std::pair<std::string, std::string>>& members, bool deflated) {
  std::string file, directory;
  for (const auto& [name, bytes] : members) {
    const std::string stored = deflated ? Deflated(bytes) : bytes;
    std::string facts;                                // what both headers hold
    AppendLittleEndian(&facts, 20, 2);                // version needed
    AppendLittleEndian(&facts, 0, 2);                 // flags
    AppendLittleEndian(&facts, deflated ? 8 : 0, 2);  // method
    AppendLittleEndian(&facts, 0x21 << 16, 4);        // 1980-01-01 00:00
    AppendLittleEndian(&facts, crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()),
                       4);
    AppendLittleEndian(&facts, stored.size(), 4);
    AppendLittleEndian(&facts, bytes.size(), 4);
    AppendLittleEndian(&facts, name.size(), 2);
    AppendLittleEndian(&facts, 0, 2);  // extra field
    absl::StrAppend(&directory, "PK\1\2", std::string("\x14\0", 2), facts);
    AppendLittleEndian(&directory, 0, 2);  // comment
    AppendLittleEndian(&directory, 0, 8);  // disk, attributes
    AppendLittleEndian(&directory, file.size(), 4);
    directory += name;
    absl::StrAppend(&file, "PK\3\4", facts, name, stored);
  }
  const size_t begin = file.size();
  absl::StrAppend(&file, directory, "PK\5\6");
  AppendLittleEndian(&file, 0, 4);  // disks
  AppendLittleEndian(&file, members.size(), 2);
  AppendLittleEndian(&file, members.size(), 2);
  AppendLittleEndian(&file, directory.size(), 4);
  AppendLittleEndian(&file, begin, 4);
  AppendLittleEndian(&file, 0, 2);
  return file;
}

}  // namespace starling
