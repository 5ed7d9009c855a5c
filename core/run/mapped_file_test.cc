#include "core/run/mapped_file.h"

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "core/run/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using testing::EndsWith;

TEST(MappedFileTest, HoldsTheBytes) {
  const std::string path = NewDirectory() + "/file";
  std::ofstream(path) << std::string("a\0b", 3);
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->bytes(), absl::string_view("a\0b", 3));
}

TEST(MappedFileTest, WritingChangesNoFile) {
  const std::string path = NewDirectory() + "/file";
  std::ofstream(path) << "abc";
  const auto first = MappedFile::Open(path), second = MappedFile::Open(path);
  ASSERT_TRUE(first.ok() && second.ok());
  const_cast<char*>((*first)->bytes().data())[1] = 'x';
  EXPECT_EQ((*first)->bytes(), "axc");
  EXPECT_EQ((*second)->bytes(), "abc");
}

TEST(MappedFileTest, AnEmptyFileHasNoBytes) {
  const std::string path = NewDirectory() + "/file";
  std::ofstream{path};
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST(MappedFileTest, NamesWhatCannotBeRead) {
  const std::string directory = NewDirectory();
  const auto missing = MappedFile::Open(directory + "/none").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), EndsWith("/none: No such file or directory"));
  EXPECT_THAT(std::string(MappedFile::Open(directory).status().message()),
              EndsWith(": Is a directory"));
}

}  // namespace
}  // namespace starling
