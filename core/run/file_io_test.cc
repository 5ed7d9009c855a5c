#include "core/run/file_io.h"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "core/run/test_files.h"
#include "glog/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(FileErrorTest, NamesActionPathAndReason) {
  const absl::Status status = FileError(EROFS, "write", "/mnt/run/STATUS");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(), "cannot write /mnt/run/STATUS: Read-only file system");
}

TEST(FileErrorTest, CodesTellTheKindsApart) {
  EXPECT_TRUE(absl::IsNotFound(FileError(ENOENT, "read", "x")));
  EXPECT_TRUE(absl::IsNotFound(FileError(ENOTDIR, "read", "x")));
  EXPECT_TRUE(absl::IsPermissionDenied(FileError(EACCES, "read", "x")));
  EXPECT_TRUE(absl::IsResourceExhausted(FileError(ENOSPC, "write", "x")));
  EXPECT_TRUE(absl::IsUnknown(FileError(EIO, "read", "x")));
}

std::set<std::string> Entries(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(WriteFileAtomicallyTest, ReplacesAndLeavesNoTemporaryFile) {
  const std::string directory = NewDirectory();
  ASSERT_TRUE(WriteFileAtomically(directory + "/summary.json", "old").ok());
  ASSERT_TRUE(WriteFileAtomically(directory + "/summary.json", std::string("new\0!", 5)).ok());
  EXPECT_EQ(*ReadFile(directory + "/summary.json"), std::string("new\0!", 5));
  EXPECT_THAT(Entries(directory), ElementsAre("summary.json"));
}

TEST(WriteFileAtomicallyTest, AFullDiskLeavesTheOldFileAlone) {
  const std::string directory = NewDirectory();
  ASSERT_TRUE(WriteFileAtomically(directory + "/summary.json", "old").ok());
  absl::Status status;
  {
    FileSizeLimit limit(10);
    status = WriteFileAtomically(directory + "/summary.json", "longer than the limit");
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              StartsWith("cannot write " + directory + "/summary.json: "));
  EXPECT_EQ(*ReadFile(directory + "/summary.json"), "old");
  EXPECT_THAT(Entries(directory), ElementsAre("summary.json"));
}

TEST(WriteFileAtomicallyTest, ARefusedRenameLeavesNoTemporaryFile) {
  const std::string directory = NewDirectory();
  std::filesystem::create_directories(directory + "/taken/by_a_directory");
  EXPECT_FALSE(WriteFileAtomically(directory + "/taken", "x").ok());
  EXPECT_THAT(Entries(directory), ElementsAre("taken"));
}

TEST(WriteFileAtomicallyTest, ReadersNeverSeeHalfAFile) {
  const std::string path = NewDirectory() + "/file";
  const std::string a(100000, 'a'), b(200000, 'b');
  ASSERT_TRUE(WriteFileAtomically(path, a).ok());
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) CHECK(WriteFileAtomically(path, i % 2 ? a : b).ok());
    done = true;
  });
  int wrong = 0;
  while (!done) {
    const auto contents = ReadFile(path);
    if (!contents.ok() || (*contents != a && *contents != b)) ++wrong;
  }
  writer.join();
  EXPECT_EQ(wrong, 0);
}

TEST(WriteFileAtomicallyTest, NamesThePathThatCannotBeWritten) {
  // Below /proc nobody can make a file, root neither.
  const absl::Status status = WriteFileAtomically("/proc/summary.json", "x");
  EXPECT_THAT(std::string(status.message()), StartsWith("cannot write /proc/summary.json: "));
}

TEST(ReadFileTest, NamesWhatCannotBeRead) {
  EXPECT_TRUE(absl::IsNotFound(ReadFile("/nowhere/x").status()));
  EXPECT_EQ(ReadFile("/nowhere/x").status().message(),
            "cannot read /nowhere/x: No such file or directory");
  EXPECT_EQ(ReadFile("/").status().message(), "cannot read /: Is a directory");
}

TEST(AppendFileTest, KeepsWhatIsThereAndAddsWithoutWaiting) {
  const std::string path = NewDirectory() + "/grows";
  std::ofstream(path) << "old\n";
  auto file = AppendFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 4);
  ASSERT_TRUE((*file)->Append("new\n").ok());
  EXPECT_EQ((*file)->size(), 8);
  EXPECT_EQ(*ReadFile(path), "old\nnew\n");
  EXPECT_TRUE((*file)->Sync().ok());
}

TEST(AppendFileTest, KeepsTheBeginningOfWhatIsThere) {
  const std::string path = NewDirectory() + "/cut";
  std::ofstream(path) << "old\nolder\n";
  for (int part = 0; part < 2; ++part) {
    auto file = AppendFile::Open(path, /*keep=*/4);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->size(), 4);
    ASSERT_TRUE((*file)->Append("new\n").ok());
    EXPECT_EQ(*ReadFile(path), "old\nnew\n");
  }
}

TEST(AppendFileTest, TakesBackWhatAFullDiskTookOfARecord) {
  const std::string path = NewDirectory() + "/full";
  auto file = AppendFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append("first\n").ok());
  absl::Status status;
  {
    FileSizeLimit limit(10);
    status = (*file)->Append("second\n");
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_EQ(*ReadFile(path), "first\n");
  ASSERT_TRUE((*file)->Append("third\n").ok());
  EXPECT_EQ(*ReadFile(path), "first\nthird\n");
}

TEST(AppendFileTest, ReportsAFullDevice) {
  auto file = AppendFile::Open("/dev/full");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Append("x").message(), "cannot write /dev/full: No space left on device");
}

TEST(AppendFileTest, NamesThePathThatCannotBeOpened) {
  auto file = AppendFile::Open("/nowhere/metrics");
  EXPECT_EQ(file.status().message(), "cannot write /nowhere/metrics: No such file or directory");
}

}  // namespace
}  // namespace starling
