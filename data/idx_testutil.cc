#include "data/idx_testutil.h"

#include <zlib.h>

#include <cstdio>
#include <fstream>

#include "glog/logging.h"

namespace starling {

std::string IdxBytes(absl::Span<const uint32_t> shape, absl::Span<const uint8_t> values) {
  std::string bytes = {0, 0, 8, static_cast<char>(shape.size())};
  for (uint32_t extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  bytes.append(values.begin(), values.end());
  return bytes;
}

std::string Gzipped(const std::string& bytes) {
  z_stream stream = {};
  CHECK_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(&packed[0]);
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

void WriteBytes(const std::string& path, const std::string& bytes) {
  // Overwriting a file makes ext4 write it to the disk at once, 3 ms each: a fuzz test feels that.
  std::remove(path.c_str());
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  CHECK(out.good()) << "cannot write " << path;
}

}  // namespace starling
