#include "core/safetensors.h"

#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/checksum.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

// A file as the format's description has it.
std::string FileOf(absl::string_view header, absl::string_view data) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> (8 * i));
  return absl::StrCat(file, header, data);
}

std::string Written(absl::string_view bytes) {
  static const std::string* path = new std::string(NewDirectory() + "/x.safetensors");
  std::ofstream(*path, std::ios::binary) << bytes;
  return *path;
}

// What is wrong with a file of these bytes; empty: nothing.
std::string Problem(absl::string_view bytes) {
  const std::string path = Written(bytes);
  const auto file = SafetensorsFile::Open(path);
  if (file.ok()) return "";
  EXPECT_TRUE(absl::IsInvalidArgument(file.status())) << file.status();
  const std::string context = path + " is no whole safetensors file: ";
  const std::string message(file.status().message());
  EXPECT_THAT(message, StartsWith(context));
  EXPECT_EQ(message.find('\n'), std::string::npos);
  return message.substr(context.size());
}

std::string ProblemOf(absl::string_view header, absl::string_view data) {
  return Problem(FileOf(header, data));
}

// One tensor of every type and some shapes.
struct Example {
  Example() {
    for (int i = 0; i < 6; ++i) f32[i] = 0.1f * static_cast<float>(i);
    tensors["fc.weight"] = {{2, 3}, AsBuffer(absl::MakeSpan(f32))};
    tensors["fc.bias"] = {{2}, AsBuffer(absl::MakeSpan(f64))};
    tensors["half"] = {{3}, {half.data(), 3, DType::kF16}};
    tensors["brain"] = {{1, 3, 1}, {half.data(), 3, DType::kBF16}};
    tensors["count"] = {{}, AsBuffer(absl::MakeSpan(&i64, 1))};
    tensors["ids"] = {{1}, AsBuffer(absl::MakeSpan(&i32, 1))};
    tensors["bytes"] = {{5}, {text.data(), 5, DType::kByte}};
    tensors["empty"] = {{0, 7}, {nullptr, 0, DType::kF32}};
  }
  std::vector<float> f32 = std::vector<float>(6);
  std::vector<double> f64 = {1.5, -2.5};
  std::vector<uint16_t> half = {1, 2, 0xffff};
  int64_t i64 = -7;
  int32_t i32 = 9;
  std::string text = "bytes";
  TensorMap tensors;
  Metadata metadata = {{"step", "200"}, {"quote", "\"\n\xe2\x88\x87"}};
};

std::string BytesOf(const Buffer& values) {
  return std::string(static_cast<const char*>(values.data), values.bytes());
}

TEST(SafetensorsTest, ComesBackAsItWas) {
  Example example;
  const std::string path = NewDirectory() + "/model.safetensors";
  const auto checksum = WriteSafetensors(path, example.tensors, example.metadata);
  ASSERT_TRUE(checksum.ok()) << checksum.status();
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->checksum(), *checksum);
  EXPECT_EQ((*file)->metadata(), example.metadata);
  ASSERT_EQ((*file)->tensors().size(), example.tensors.size());
  for (const auto& [name, tensor] : (*file)->tensors()) {
    const ShapedBuffer& original = example.tensors.at(name);
    EXPECT_EQ(tensor.shape, original.shape) << name;
    EXPECT_EQ(tensor.values.type, original.values.type) << name;
    EXPECT_EQ(BytesOf(tensor.values), BytesOf(original.values)) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.values.data) % SizeOf(tensor.values.type), 0);
  }
}

TEST(SafetensorsTest, BytesAreTheFormats) {
  float values[] = {1, -2};
  uint8_t flag = 7;
  const std::string path = NewDirectory() + "/model.safetensors";
  ASSERT_TRUE(WriteSafetensors(path,
                               {{"a", {{1}, AsBuffer(absl::MakeSpan(&flag, 1))}},
                                {"b", {{2, 1}, AsBuffer(absl::MakeSpan(values))}}},
                               {{"k", "v"}})
                  .ok());
  EXPECT_EQ(*ReadFile(path), FileOf(R"({"__metadata__":{"k":"v"},)"
                                    R"("b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                                    R"("a":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}   )",
                                    std::string("\0\0\x80\x3f\0\0\0\xc0\x07", 9)));
}

TEST(SafetensorsTest, ReadsWhatOthersWrite) {
  // Spaces, any order of keys, a tensor at an odd address.
  const auto file = SafetensorsFile::Open(
      Written(FileOf(R"({ "b" : {"shape":[],"data_offsets":[1,5],"dtype":"I32"},)"
                     R"( "a":{"data_offsets":[0,1],"dtype":"U8","shape":[1,1]} } )",
                     std::string("\x2a\x01\x02\0\0", 5))));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->tensors().at("b").values.as<int32_t>(), ElementsAre(0x201));
  EXPECT_THAT((*file)->tensors().at("a").values.as<uint8_t>(), ElementsAre(42));
}

TEST(SafetensorsTest, WritingToAValueLeavesTheFileAlone) {
  float value = 1;
  const std::string path = NewDirectory() + "/model.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, {{"a", {{}, AsBuffer(absl::MakeSpan(&value, 1))}}}, {}).ok());
  const std::string before = *ReadFile(path);
  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  (*file)->tensors().at("a").values.as<float>()[0] = 2;
  EXPECT_EQ(*ReadFile(path), before);
}

TEST(SafetensorsTest, SaysWhatIsWrong) {
  const char* a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const auto one = [](const char* entry) { return absl::StrCat("{\"a\":", entry, "}"); };
  EXPECT_EQ(ProblemOf(absl::StrCat("{", a, "}"), "1234"), "");
  EXPECT_EQ(Problem(""), "it has 0 bytes");
  EXPECT_EQ(Problem("123"), "it has 3 bytes");
  EXPECT_THAT(Problem("PK\x03\x04 an archive"), HasSubstr("begins with no length of a header"));
  EXPECT_EQ(Problem(std::string("\x09\0\0\0\0\0\0\0{}", 10)),
            "its header has 9 bytes, but the file ends after 2");
  EXPECT_EQ(ProblemOf("", ""), "its header is no JSON object");
  EXPECT_EQ(ProblemOf(" {}", ""), "its header is no JSON object");  // the format: { comes first
  EXPECT_EQ(ProblemOf("[1]", ""), "its header is no JSON object");
  EXPECT_EQ(ProblemOf("{\"a\":", ""), "its header is no JSON object");
  EXPECT_EQ(ProblemOf(absl::StrCat("{", a, ",", a, "}"), "1234"), "tensor \"a\" appears twice");
  EXPECT_EQ(ProblemOf(one("3"), ""), "tensor \"a\" must have dtype, shape and data_offsets");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"Q9","shape":[1],"data_offsets":[0,4]})"), "1234"),
            "tensor \"a\" has dtype \"Q9\"; known are F32, F64, F16, BF16, I32, I64 and U8");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "1234"),
            "tensor \"a\" has a shape that is no list of sizes");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})"), "1234"),
            "tensor \"a\" has data_offsets that are no two numbers");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "1234"),
            "tensor \"a\" lies at bytes 0 to 8 of the 4 that there are");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"), "1234"),
            "tensor \"a\" lies at bytes 4 to 0 of the 4 that there are");
  EXPECT_EQ(ProblemOf(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "1234"),
            "tensor \"a\" has 4 bytes, which its shape and dtype contradict");
  EXPECT_EQ(
      ProblemOf(one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"), ""),
      "tensor \"a\" has 0 bytes, which its shape and dtype contradict");
  EXPECT_EQ(
      ProblemOf(absl::StrCat("{", a, R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})"),
                "12345"),
      "tensor \"b\" begins at byte 3, inside another one, which ends at 4");
  EXPECT_EQ(
      ProblemOf(absl::StrCat("{", a, R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})"),
                "123456"),
      "tensor \"b\" begins at byte 5, but the one before it ends at 4");
  EXPECT_EQ(ProblemOf(absl::StrCat("{", a, "}"), "12345"), "its tensors end at byte 4 of 5");
  EXPECT_EQ(ProblemOf(R"({"__metadata__":[]})", ""), "__metadata__ is no object");
  EXPECT_EQ(ProblemOf(R"({"__metadata__":{"k":1}})", ""),
            "__metadata__ holds \"k\", which is no text");
}

TEST(SafetensorsTest, NamesThePathThatCannotBeReadOrWritten) {
  const std::string missing = NewDirectory() + "/none/x.safetensors";
  const auto read = SafetensorsFile::Open(missing);
  EXPECT_TRUE(absl::IsNotFound(read.status())) << read.status();
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(missing));
  const auto written = WriteSafetensors(missing, {}, {});
  EXPECT_TRUE(absl::IsNotFound(written.status())) << written.status();
  EXPECT_THAT(std::string(SafetensorsFile::Open(NewDirectory()).status().message()),
              HasSubstr("Is a directory"));
}

TEST(SafetensorsTest, RefusesNamesThatTheFormatDoesNot) {
  const std::string path = NewDirectory() + "/x.safetensors";
  EXPECT_TRUE(absl::IsInvalidArgument(
      WriteSafetensors(path, {{"__metadata__", {{0}, Buffer()}}}, {}).status()));
  EXPECT_TRUE(
      absl::IsInvalidArgument(WriteSafetensors(path, {{"\xff", {{0}, Buffer()}}}, {}).status()));
}

std::string ExampleFile() {
  Example example;
  for (const char* name : {"half", "brain", "ids", "bytes"}) example.tensors.erase(name);
  const std::string path = NewDirectory() + "/model.safetensors";
  CHECK_OK(WriteSafetensors(path, example.tensors, example.metadata));
  return *ReadFile(path);
}

TEST(SafetensorsTest, EveryTruncationIsRefused) {
  const std::string whole = ExampleFile();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(Problem(whole.substr(0, length)), "") << length;
  }
}

// A flipped bit is refused or read as something that lies inside the file, and always changes the
// checksum.
TEST(SafetensorsTest, EveryFlippedBitChangesTheChecksum) {
  const std::string whole = ExampleFile();
  Crc64 right;
  right.Add(whole);
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const auto file = SafetensorsFile::Open(Written(bytes));
    if (file.ok()) {
      EXPECT_NE((*file)->checksum(), right.value()) << bit;
    }
  }
}

// Many damages at once: never a crash, and what is accepted can be read to its last byte.
TEST(SafetensorsTest, AnyBytesAreReadOrRefused) {
  const std::string whole = ExampleFile();
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole.substr(0, random() % 4 == 0 ? random() % whole.size() : whole.size());
    for (int change = random() % 6; change > 0 && !bytes.empty(); --change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto file = SafetensorsFile::Open(Written(bytes));
    if (!file.ok()) continue;
    ++accepted;
    size_t total = 0;
    for (const auto& [name, tensor] : (*file)->tensors()) {
      for (const char c : BytesOf(tensor.values)) total += static_cast<unsigned char>(c);
    }
    EXPECT_LE(total, 255 * bytes.size());
  }
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace starling
