#include "core/run/sinks/tensorboard/tfrecord.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// The check value that catalogues of CRCs give for CRC-32/ISCSI.
TEST(Crc32cTest, CheckValue) { EXPECT_EQ(Crc32c("123456789"), 0xe3069283); }

// RFC 3720, appendix B.4, which prints the bytes in the order of the wire.
TEST(Crc32cTest, VectorsOfRfc3720) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aa);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43);
  std::string up, down;
  for (int i = 0; i < 32; ++i) up.push_back(static_cast<char>(i));
  for (int i = 31; i >= 0; --i) down.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(up), 0x46dd794e);
  EXPECT_EQ(Crc32c(down), 0x113fdb5c);
}

TEST(Crc32cTest, NothingHasChecksumZero) { EXPECT_EQ(Crc32c(""), 0); }

// Written by the RecordWriter of TensorBoard 2.21.
TEST(TfRecordTest, SameBytesAsTensorBoardsOwnWriter) {
  const std::string data =
      absl::HexStringToBytes("0900002040fc54d9411a0d627261696e2e4576656e743a32");
  EXPECT_EQ(absl::BytesToHexString(TfRecord(data)),
            "1800000000000000"
            "a37f4b22"
            "0900002040fc54d9411a0d627261696e2e4576656e743a32"
            "2b353110");
}

}  // namespace
}  // namespace starling
