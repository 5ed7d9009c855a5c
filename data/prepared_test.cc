#include "data/prepared.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

class PreparedTest : public testing::Test {
 protected:
  PreparedTest() { setenv("XDG_CACHE_HOME", cache_.c_str(), 1); }

  absl::StatusOr<std::string> Prepare(const std::string& key) {
    return PreparedDirectory("numbers", key, [&](const std::string& directory) {
      ++made_;
      CHECK_OK(WriteFileAtomically(directory + "/one", "1 " + key));
      return WriteFileAtomically(directory + "/two", "");
    });
  }

  // The names in the cache.
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(cache_ + "/starling")) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  const std::string cache_ = NewDirectory();
  int made_ = 0;
};

TEST_F(PreparedTest, IsMadeOncePerKey) {
  const std::string first = Prepare("a").value();
  EXPECT_EQ(ReadFile(first + "/one").value(), "1 a");
  EXPECT_EQ(Prepare("a").value(), first);
  EXPECT_EQ(made_, 1);
  EXPECT_NE(Prepare("b").value(), first);
  EXPECT_EQ(made_, 2);
  EXPECT_EQ(Names().size(), 2u);
  EXPECT_THAT(first, testing::StartsWith(cache_ + "/starling/numbers-"));
}

TEST_F(PreparedTest, DamagedEntriesAreMadeAgain) {
  const std::string entry = Prepare("a").value();
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"/one", "2 a"}, {"/one", "1"}, {"/two", "more"}, {"/three", ""}, {"/MANIFEST", ""}};
  for (size_t i = 0; i < damages.size(); ++i) {
    ASSERT_TRUE(WriteFileAtomically(entry + damages[i].first, damages[i].second).ok());
    EXPECT_EQ(Prepare("a").value(), entry);
    EXPECT_EQ(made_, static_cast<int>(i) + 2) << damages[i].first;
    EXPECT_EQ(ReadFile(entry + "/one").value(), "1 a");
  }
  std::filesystem::remove(entry + "/two");
  EXPECT_EQ(Prepare("a").value(), entry);
  EXPECT_TRUE(std::filesystem::exists(entry + "/two"));
  EXPECT_EQ(Names().size(), 1u);
}

TEST_F(PreparedTest, FailuresLeaveNothing) {
  const auto status = PreparedDirectory("numbers", "a", [](const std::string& directory) {
                        CHECK_OK(WriteFileAtomically(directory + "/one", "1"));
                        return absl::DataLossError("the source is broken");
                      }).status();
  EXPECT_EQ(status, absl::DataLossError("the source is broken"));
  EXPECT_TRUE(Names().empty());
}

TEST_F(PreparedTest, SeveralProcessesMayPrepareAtOnce) {
  constexpr int kProcesses = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = true;
      for (int key = 0; key < 20; ++key) {
        const auto entry = Prepare(std::to_string(key));
        good &= entry.ok() && ReadFile(*entry + "/one").value() == "1 " + std::to_string(key);
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Names().size(), 20u);
}

TEST_F(PreparedTest, WithoutAHomeItLiesAmongTemporaryFiles) {
  const std::string temporary = NewDirectory();
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/proc/nowhere", 1);
  setenv("TMPDIR", temporary.c_str(), 1);
  EXPECT_THAT(Prepare("a").value(), testing::StartsWith(temporary + "/starling-"));
}

}  // namespace
}  // namespace starling
