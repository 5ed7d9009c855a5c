#include "data/idx.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "core/random/random.h"
#include "data/idx_testutil.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string TempFile(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  WriteBytes(path, bytes);
  return path;
}

std::vector<uint8_t> SomeValues(int64_t count) {
  std::vector<uint8_t> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<uint8_t>(i * 7);
  return values;
}

// Reads `bytes` as a file and returns the message of the error, which names the file.
std::string ErrorOf(const std::string& bytes, int axes) {
  const std::string path = TempFile("bad", bytes);
  const auto array = ReadIdx(path, axes);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(array.status().message()), StartsWith(path));
  return std::string(array.status().message());
}

TEST(IdxTest, ReadsPlainAndGzippedFiles) {
  const std::vector<uint8_t> values = SomeValues(24);
  const std::string bytes = IdxBytes({2, 3, 4}, values);
  for (const std::string& file : {TempFile("plain", bytes), TempFile("gz", Gzipped(bytes))}) {
    const auto array = ReadIdx(file, 3);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_THAT(array->shape, ElementsAre(2, 3, 4));
    EXPECT_EQ(array->values, values);
  }
}

TEST(IdxTest, ReadsAnArrayWithoutElements) {
  const auto array = ReadIdx(TempFile("none", IdxBytes({0, 28, 28}, {})), 3);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->shape, ElementsAre(0, 28, 28));
  EXPECT_TRUE(array->values.empty());
}

TEST(IdxTest, ReadsFilesLargerThanItsFirstGuess) {
  const std::vector<uint8_t> zeros(5 << 20, 0);  // gzip packs them a thousandfold
  const std::string bytes = IdxBytes({5 << 20}, zeros);
  const auto array = ReadIdx(TempFile("zeros", Gzipped(bytes)), 1);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->values, zeros);
}

TEST(IdxTest, NamesAFileThatCannotBeOpened) {
  const auto array = ReadIdx("/nowhere/labels", 1);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(array.status().message()), HasSubstr("cannot open /nowhere/labels"));
}

TEST(IdxTest, RefusesADirectory) {
  const auto array = ReadIdx(testing::TempDir(), 1);
  EXPECT_FALSE(array.ok());
  EXPECT_THAT(std::string(array.status().message()), HasSubstr("Is a directory"));
}

TEST(IdxTest, SaysWhatTheMagicShouldBe) {
  EXPECT_THAT(ErrorOf(IdxBytes({3}, SomeValues(3)), 3),
              HasSubstr("starts with the bytes 00 00 08 01; an IDX file of unsigned bytes with 3 "
                        "axes starts with 00 00 08 03"));
  EXPECT_THAT(ErrorOf("PNG or something else", 1), HasSubstr("bytes 50 4e 47 20"));
}

TEST(IdxTest, SaysWhereATruncatedFileEnds) {
  const std::string bytes = IdxBytes({2, 3, 4}, SomeValues(24));
  EXPECT_THAT(ErrorOf(bytes.substr(0, 20), 3),
              HasSubstr("is truncated: its header says 2 x 3 x 4 bytes of data, and only 4 are "));
  EXPECT_THAT(ErrorOf(bytes.substr(0, 10), 3),
              HasSubstr("ends after 10 bytes, inside its IDX header of 16 bytes"));
  EXPECT_THAT(ErrorOf("", 3), HasSubstr("ends after 0 bytes"));
}

TEST(IdxTest, SaysThatAGzipFileIsTruncatedOrCorrupt) {
  std::string packed = Gzipped(IdxBytes({2000}, SomeValues(2000)));
  EXPECT_THAT(ErrorOf(packed.substr(0, packed.size() / 2), 1),
              HasSubstr("is a truncated gzip file"));
  EXPECT_THAT(ErrorOf(packed.substr(0, packed.size() - 3), 1),
              HasSubstr("is a truncated gzip file"));  // inside the checksum
  packed[packed.size() - 6] ^= 1;                      // in the checksum
  EXPECT_THAT(ErrorOf(packed, 1), AllOf(HasSubstr("corrupt"), HasSubstr("incorrect data check")));
}

TEST(IdxTest, RefusesMoreDataThanTheHeaderSays) {
  EXPECT_THAT(ErrorOf(IdxBytes({3}, SomeValues(4)), 1),
              HasSubstr("is too long: its header says 3 bytes of data"));
}

TEST(IdxTest, DoesNotAllocateWhatACorruptHeaderClaims) {
  EXPECT_THAT(ErrorOf(IdxBytes({0xffffffff, 0x7fffffff}, SomeValues(4)), 2),
              HasSubstr("4294967295 x 2147483647 bytes of data, and only 4 are there"));
  EXPECT_THAT(ErrorOf(IdxBytes({0xffffffff, 0xffffffff, 0xffffffff}, {}), 3),
              HasSubstr("is corrupt: its header says 4294967295 x 4294967295 x 4294967295"));
}

// Whatever a file holds, reading it ends in an array that fits its header or in an error.
TEST(IdxTest, SurvivesMutatedFiles) {
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  const std::vector<uint8_t> values = SomeValues(60);
  const std::string plain = IdxBytes({3, 4, 5}, values);
  const std::string packed = Gzipped(plain);
  int read = 0;
  for (int round = 0; round < 4000; ++round) {
    const bool gzipped = round % 2 == 1;
    std::string bytes = gzipped ? packed : plain;
    const int64_t mutations = random.Below(4);
    for (int64_t i = 0; i < mutations && !bytes.empty(); ++i) {
      const int64_t at = random.Below(static_cast<int64_t>(bytes.size()));
      switch (random.Below(4)) {
        case 0:
          bytes[at] = static_cast<char>(random.Next32());
          break;
        case 1:
          bytes[at] ^= static_cast<char>(1 << random.Below(8));
          break;
        case 2:
          bytes.resize(at);
          break;
        case 3:
          bytes.insert(at, 1, static_cast<char>(random.Next32()));
          break;
      }
    }
    const std::string path = TempFile("mutated", bytes);
    const auto array = ReadIdx(path, 3);
    if (!array.ok()) {
      ASSERT_THAT(std::string(array.status().message()), StartsWith(path));
      continue;
    }
    ++read;
    const std::vector<int64_t>& shape = array->shape;
    ASSERT_EQ(static_cast<int64_t>(array->values.size()), shape[0] * shape[1] * shape[2]);
    // Of a gzip file only bytes that mean nothing can change unnoticed (time, system).
    if (gzipped) {
      ASSERT_EQ(array->values, values);
    }
  }
  EXPECT_GT(read, 1000);  // a quarter of the files is not mutated at all
}

TEST(IdxTest, SurvivesRandomBytes) {
  Random random(StreamKey(1, Purpose::kTest, 0, 1));
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random.Below(64), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next32());
    // Half of them get past the first check.
    const std::string head = round % 4 == 0   ? std::string("\x1f\x8b\x08\x00", 4)
                             : round % 4 == 1 ? std::string("\0\0\x08\x02", 4)
                                              : std::string();
    const std::string path = TempFile("random", head + bytes);
    const auto array = ReadIdx(path, 2);
    if (array.ok()) {
      EXPECT_EQ(static_cast<int64_t>(array->values.size()), array->shape[0] * array->shape[1]);
    }
  }
}

}  // namespace
}  // namespace starling
