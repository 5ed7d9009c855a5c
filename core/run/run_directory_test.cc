#include "core/run/run_directory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/run/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

std::string NewPath(const std::string& name) { return NewDirectory() + "/" + name; }

std::set<std::string> Entries(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

// Starts a process that runs `body` and ends with what it returns.
pid_t StartProcess(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}

int ExitCode(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(RunDirectoryTest, MakesParentsAndSaysThatItRuns) {
  const std::string path = NewPath("made/with/parents");
  auto run = RunDirectory::Create(path);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ((*run)->path(), path);
  EXPECT_EQ(*ReadFile(path + "/STATUS"), "running\n");
  ASSERT_TRUE((*run)->Write("summary.json", "{}").ok());
  EXPECT_EQ(*ReadFile((*run)->File("summary.json")), "{}");
  run->reset();
  EXPECT_THAT(Entries(path), ElementsAre("STATUS", "summary.json"));
}

TEST(RunDirectoryTest, TakesAnEmptyDirectoryThatExists) {
  const std::string path = NewPath("exists/");
  fs::create_directories(path);
  auto run = RunDirectory::Create(path);
  EXPECT_TRUE(run.ok()) << run.status();
}

TEST(RunDirectoryTest, RefusesADirectoryWithAFileAndLeavesItAsItIs) {
  const std::string path = NewPath("precious");
  fs::create_directories(path);
  ASSERT_TRUE(WriteFileAtomically(path + "/thesis.tex", "x").ok());
  const absl::Status status = RunDirectory::Create(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(),
            "run directory " + path +
                ": it is not empty (it holds thesis.tex), and a run never overwrites another; name "
                "a new directory with --run_dir=DIR, or remove this one first");
  EXPECT_THAT(Entries(path), ElementsAre("thesis.tex"));
}

TEST(RunDirectoryTest, RefusesTheDirectoryOfAnotherRunAndSaysHowThatEnded) {
  const std::string path = NewPath("other_run");
  {
    auto run = RunDirectory::Create(path);
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_TRUE((*run)->SetStatus(RunStatus::kDiverged).ok());
  }
  const absl::Status status = RunDirectory::Create(path).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("(it holds a run with status diverged)"));
  EXPECT_EQ(*ReadFile(path + "/STATUS"), "diverged\n");
}

TEST(RunDirectoryTest, ALockThatAKillLeftBehindMeansNothing) {
  const std::string path = NewPath("killed");
  fs::create_directories(path);
  ASSERT_TRUE(WriteFileAtomically(path + "/.lock", "").ok());
  EXPECT_TRUE(RunDirectory::Create(path).ok());
}

TEST(RunDirectoryTest, LockRefusesAnotherProcess) {
  const std::string path = NewPath("locked");
  auto run = RunDirectory::Create(path);
  ASSERT_TRUE(run.ok()) << run.status();
  fs::remove(path + "/STATUS");  // so that nothing but the lock stands in the way
  const pid_t child = StartProcess([&] {
    const absl::Status status = RunDirectory::Create(path).status();
    if (!absl::IsFailedPrecondition(status)) return 1;
    const bool said = absl::string_view(status.message()) ==
                      "run directory " + path +
                          ": another process writes a run there; name another directory with "
                          "--run_dir=DIR";
    return said ? 0 : 2;
  });
  EXPECT_EQ(ExitCode(child), 0);
}

TEST(RunDirectoryTest, OpensARunThatGoesOnAndAPlaceForANewOne) {
  const std::string path = NewPath("resumed");
  {
    auto run = RunDirectory::Open(path);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(RunDirectory::StatusAt(path), "");
    ASSERT_TRUE((*run)->SetStatus(RunStatus::kInterrupted).ok());
    EXPECT_FALSE(RunDirectory::Open(path).ok());  // one at a time
  }
  auto run = RunDirectory::Open(path);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(RunDirectory::StatusAt(path), "interrupted");
}

TEST(RunDirectoryTest, OpensNothingThatIsNoRun) {
  const std::string path = NewPath("thesis");
  fs::create_directories(path);
  ASSERT_TRUE(WriteFileAtomically(path + "/thesis.tex", "x").ok());
  EXPECT_EQ(RunDirectory::Open(path).status(),
            absl::FailedPreconditionError(
                "run directory " + path +
                ": it holds files but no run (no STATUS), so there is nothing to resume; "
                "--run_dir=DIR names the run's directory"));
  EXPECT_THAT(Entries(path), ElementsAre("thesis.tex"));
}

TEST(RunDirectoryTest, OneOfManyProcessesWins) {
  const std::string path = NewPath("race");
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(StartProcess([&] { return RunDirectory::Create(path).ok() ? 0 : 1; }));
  }
  int winners = 0;
  for (const pid_t child : children) winners += ExitCode(child) == 0;
  EXPECT_EQ(winners, 1);
}

TEST(RunDirectoryTest, NamesThePartThatCannotBeMade) {
  const std::string file = NewPath("a_file");
  ASSERT_TRUE(WriteFileAtomically(file, "x").ok());
  EXPECT_EQ(RunDirectory::Create(file + "/runs/1").status().message(),
            "run directory " + file + "/runs/1: cannot make " + file + ": Not a directory");
  EXPECT_EQ(RunDirectory::Create(file).status().message(),
            "run directory " + file + ": cannot make " + file + ": Not a directory");
}

TEST(RunDirectoryTest, NamesAPlaceWhereNothingCanBeWritten) {
  // Below /proc nobody can make anything, root neither.
  EXPECT_THAT(std::string(RunDirectory::Create("/proc/runs/1").status().message()),
              StartsWith("run directory /proc/runs/1: cannot make /proc/runs: "));
  if (geteuid() == 0) return;
  const std::string path = NewPath("read_only");
  fs::create_directories(path);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec);
  const absl::Status status = RunDirectory::Create(path).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_EQ(status.message(),
            "run directory " + path + ": cannot write " + path + "/.lock: Permission denied");
}

TEST(RunDirectoryTest, StatusWords) {
  EXPECT_EQ(RunStatusName(RunStatus::kRunning), "running");
  EXPECT_EQ(RunStatusName(RunStatus::kDone), "done");
  EXPECT_EQ(RunStatusName(RunStatus::kDiverged), "diverged");
  EXPECT_EQ(RunStatusName(RunStatus::kFailed), "failed");
  EXPECT_EQ(RunStatusName(RunStatus::kInterrupted), "interrupted");
}

TEST(DefaultPathTest, HasNameDateAndHashOfTheConfig) {
  const std::string path = RunDirectory::DefaultPath("/base/runs", "quick-start_2.0", "seed: 1");
  EXPECT_THAT(path, MatchesRegex("/base/runs/quick-start_2.0/[0-9]{8}-[0-9]{6}-[0-9a-f]{6}"));
  const auto hash = [](const std::string& config) {
    const std::string path = RunDirectory::DefaultPath("/base", "a", config);
    return path.substr(path.rfind('-'));
  };
  EXPECT_EQ(hash("seed: 1"), path.substr(path.rfind('-')));
  EXPECT_NE(hash("seed: 1"), hash("seed: 2"));
  // The 64-bit FNV-1a of "foobar" is 0x85944171f73967e8 (its authors' test vectors).
  EXPECT_EQ(hash("foobar"), "-859441");
}

TEST(DefaultPathTest, NeverNamesAPathThatExists) {
  std::set<std::string> paths;
  const std::string base = NewDirectory();
  for (int i = 0; i < 12; ++i) {
    const std::string path = RunDirectory::DefaultPath(base, "n", "config");
    EXPECT_FALSE(fs::exists(path));
    fs::create_directories(path);
    paths.insert(path);
  }
  EXPECT_EQ(paths.size(), 12);
}

TEST(DefaultPathTest, NameStaysBelowTheBase) {
  EXPECT_THAT(RunDirectory::DefaultPath("/b", "../my exp", ""), StartsWith("/b/_._my_exp/"));
  EXPECT_THAT(RunDirectory::DefaultPath("/b", "..", ""), StartsWith("/b/_./"));
}

TEST(UserPathTest, RelativePathsStartWhereTheUserStands) {
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(UserPath("runs/1"), "runs/1");
  setenv("BUILD_WORKING_DIRECTORY", "/home/user", 1);
  EXPECT_EQ(UserPath("runs/1"), "/home/user/runs/1");
  EXPECT_EQ(UserPath("/data/runs"), "/data/runs");
  unsetenv("BUILD_WORKING_DIRECTORY");
}

}  // namespace
}  // namespace starling
