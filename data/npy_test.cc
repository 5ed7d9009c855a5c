#include "data/npy.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/buffer.h"
#include "core/random/random.h"
#include "core/run/test_files.h"
#include "data/idx_testutil.h"
#include "data/npy_testutil.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string ErrorOf(const std::string& file, absl::StatusCode code = absl::StatusCode::kDataLoss) {
  const auto array = ParseNpy(file);
  EXPECT_EQ(array.status().code(), code) << array.status();
  return std::string(array.status().message());
}

TEST(NpyTest, ReadsAllTypes) {
  const auto check = [](const auto& values, DType type) {
    const std::string file = NpyOf({3}, values);
    const auto array = ParseNpy(file);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->type, type);
    EXPECT_EQ(array->count, 3);
    EXPECT_THAT(array->shape, ElementsAre(3));
    ASSERT_EQ(array->elements.size(), values.size() * sizeof(values[0]));
    EXPECT_EQ(std::memcmp(array->elements.data(), values.data(), array->elements.size()), 0);
  };
  check(std::vector<float>{1.5f, -2.0f, 0.0f}, DType::kF32);
  check(std::vector<double>{1.5, -2.0, 1e300}, DType::kF64);
  check(std::vector<int32_t>{1, -2, 3}, DType::kI32);
  check(std::vector<int64_t>{1, -2, int64_t{1} << 40}, DType::kI64);
  check(std::vector<uint8_t>{0, 128, 255}, DType::kByte);
}

// What numpy 1.24.2 wrote for numpy.save(f, numpy.array([[1, 2, 3], [4, 5, 6]], "<i4")).
TEST(NpyTest, ReadsWhatNumpyWrote) {
  const std::string header =
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }                                 "
      "                         \n";
  ASSERT_EQ(header.size(), 118u);
  const std::string file =
      absl::StrCat(std::string("\x93NUMPY\1\0v\0", 10), header,
                   std::string("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0", 24));
  EXPECT_EQ(file, NpyOf<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const auto array = ParseNpy(file);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->shape, ElementsAre(2, 3));
  EXPECT_EQ(array->elements[4], 2);
}

TEST(NpyTest, ReadsShapesFromNoAxisToSeveral) {
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{}, {4}, {0, 5}, {2, 1, 2}}) {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    const std::string file = NpyOf(shape, std::vector<double>(count));
    const auto array = ParseNpy(file);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->shape, shape);
    EXPECT_EQ(array->count, count);
  }
}

TEST(NpyTest, HeaderMayBeSpeltOtherwise) {
  const std::string file =
      NpyFile("{ \"shape\":(2,1 ),'descr' : \"|u1\",\n'fortran_order':False}", "ab");
  const auto array = ParseNpy(file);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->shape, ElementsAre(2, 1));
  EXPECT_EQ(array->elements, "ab");
}

TEST(NpyTest, ReadsLaterVersions) {
  for (char version : {2, 3}) {
    const std::string header = NpyHeader("|u1", {2});
    std::string file = absl::StrCat("\x93NUMPY", std::string(1, version), std::string(1, '\0'),
                                    std::string(1, static_cast<char>(header.size())),
                                    std::string(3, '\0'), header, "ab");
    const auto array = ParseNpy(file);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->elements, "ab");
    file[6] = 4;
    EXPECT_THAT(ErrorOf(file), HasSubstr("its format is 4.0; 1.0, 2.0 and 3.0 are known"));
  }
}

TEST(NpyTest, SaysWhatToSaveInstead) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(ErrorOf(NpyFile(NpyHeader(">f4", {1}), "abcd"), invalid),
            "its numbers are big-endian (>f4); save array.astype(\"<f4\")");
  EXPECT_EQ(ErrorOf(NpyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", "abcd"),
                    invalid),
            "its elements stand in Fortran's order; save numpy.ascontiguousarray(array)");
  EXPECT_EQ(ErrorOf(NpyFile(NpyHeader("|O", {1}), "abcd"), invalid),
            "it holds values of type |O; what is read is <f4, <f8, <i4, <i8 and |u1, to which "
            "array.astype converts");
  EXPECT_THAT(ErrorOf(NpyFile("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, "
                              "'shape': (1,), }",
                              "abcdefgh"),
                      invalid),
              StartsWith("it holds records of several values; what is read"));
}

TEST(NpyTest, SaysWhereAFileIsBroken) {
  EXPECT_EQ(ErrorOf("PK"),
            "it is no whole .npy file: it does not start with the bytes 93 \"NUMPY\"");
  const std::string file = NpyOf<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  for (size_t size : {6, 7, 8, 9, 20, 127}) {
    EXPECT_THAT(ErrorOf(file.substr(0, size)), HasSubstr("it ends inside its header"));
  }
  EXPECT_THAT(ErrorOf(file.substr(0, 140)),
              HasSubstr("its header says <f4 [2, 3], and 12 bytes of elements follow"));
  EXPECT_THAT(ErrorOf(file + "x"), HasSubstr("and 25 bytes of elements follow"));
  for (const char* header :
       {"", "{}", "{'descr': '<f4'}", "[1]", "{'shape': (1,), 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}"}) {
    EXPECT_THAT(ErrorOf(NpyFile(header, "abcd")), HasSubstr("its header is not {'descr'"))
        << header;
  }
  EXPECT_THAT(ErrorOf(NpyFile(NpyHeader("<f4", {int64_t{1} << 40, int64_t{1} << 40}), "")),
              HasSubstr("its header says <f4 [1099511627776, 1099511627776], and 0 bytes"));
}

std::string Write(const std::string& bytes) {
  const std::string path = NewDirectory() + "/arrays.npz";
  WriteBytes(path, bytes);
  return path;
}

TEST(NpzTest, ReadsStoredAndDeflatedMembers) {
  const std::string x = NpyOf<float>({2}, {1, 2});
  const std::string y = NpyOf<uint8_t>({3'000'000}, std::vector<uint8_t>(3'000'000, 7));
  for (bool deflated : {false, true}) {
    const auto file = NpzFile::Open(Write(ZipOf({{"x.npy", x}, {"y.npy", y}}, deflated)));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_THAT((*file)->names(), ElementsAre("x", "y"));
    EXPECT_EQ((*file)->Read("x").value(), x);
    EXPECT_EQ((*file)->Read("y").value(), y);
    const auto missing = (*file)->Read("z").status();
    EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(missing.message()), HasSubstr(" has no array \"z\"; it has x, y"));
  }
}

TEST(NpzTest, NamesWhatCannotBeOpened) {
  const auto missing = NpzFile::Open("/nowhere/x.npz").status();
  EXPECT_EQ(missing, absl::NotFoundError("cannot read /nowhere/x.npz: No such file or directory"));
  const std::string path = Write("no archive, but text");
  EXPECT_EQ(NpzFile::Open(path).status(),
            absl::DataLossError(path + " is no whole .npz file: Not a zip archive"));
  EXPECT_FALSE(NpzFile::Open(NewDirectory()).ok());
}

TEST(NpzTest, NoticesAFlippedBit) {
  const std::string x = NpyOf<float>({2}, {1, 2});
  std::string bytes = ZipOf({{"x.npy", x}}, /*deflated=*/false);
  bytes[40 + x.size() - 8] ^= 1;  // behind the local header and name: among the elements
  const auto file = NpzFile::Open(Write(bytes));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(std::string((*file)->Read("x").status().message()),
              HasSubstr("array \"x\" cannot be unpacked: CRC error"));
}

// Bits flipped, ends cut off, bytes replaced: what is read fits its header, or a sentence says why
// it is not.
std::string Mutated(std::string bytes, Random* random) {
  for (int64_t i = 1 + random->Below(3); i > 0 && !bytes.empty(); --i) {
    const int64_t at = random->Below(static_cast<int64_t>(bytes.size()));
    switch (random->Below(4)) {
      case 0:
        bytes[at] = static_cast<char>(random->Next32());
        break;
      case 1:
        bytes[at] ^= static_cast<char>(1 << random->Below(8));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, 1, static_cast<char>(random->Next32()));
        break;
    }
  }
  return bytes;
}

void ExpectArrayOrSentence(const std::string& bytes) {
  const auto array = ParseNpy(bytes);
  if (array.ok()) {
    ASSERT_EQ(static_cast<int64_t>(array->elements.size()), array->count * SizeOf(array->type));
  } else {
    ASSERT_THAT(std::string(array.status().message()), StartsWith("it"));
    ASSERT_EQ(array.status().message().find('\n'), absl::string_view::npos);
  }
}

TEST(NpyTest, SurvivesMutatedFiles) {
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  const std::string whole = NpyOf<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  // The same without padding: most mutations meet the header's text.
  const std::string header = NpyHeader("<f4", {2, 3});
  const std::string dense = absl::StrCat(std::string("\x93NUMPY\1\0", 8),
                                         std::string(1, static_cast<char>(header.size())),
                                         std::string(1, '\0'), header, std::string(24, 'x'));
  ASSERT_TRUE(ParseNpy(dense).ok()) << ParseNpy(dense).status();
  for (int round = 0; round < 20000; ++round) {
    ExpectArrayOrSentence(Mutated(round % 2 == 0 ? whole : dense, &random));
  }
}

TEST(NpzTest, SurvivesMutatedFiles) {
  Random random(StreamKey(1, Purpose::kTest, 0, 1));
  const std::string x = NpyOf<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const std::string path = NewDirectory() + "/mutated.npz";
  int read = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::string whole = ZipOf({{"x.npy", x}, {"y.npy", x}}, /*deflated=*/round % 2 == 1);
    WriteBytes(path, Mutated(whole, &random));
    const auto file = NpzFile::Open(path);
    if (!file.ok()) {
      ASSERT_THAT(std::string(file.status().message()), HasSubstr(path));
      continue;
    }
    for (const char* name : {"x", "y"}) {
      const auto member = (*file)->Read(name);
      if (!member.ok()) {
        ASSERT_THAT(std::string(member.status().message()), HasSubstr(path));
        continue;
      }
      ++read;
      ExpectArrayOrSentence(*member);
    }
  }
  EXPECT_GT(read, 500);
}

}  // namespace
}  // namespace starling
