#include "experiments/replay/replay_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/cpu_level.h"
#include "core/run/build_stamp.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/interrupt.h"
#include "experiments/launch.h"
#include "experiments/prepare.h"
#include "experiments/replay/recorded_run.h"
#include "experiments/replay/replay_one.h"
#include "experiments/replay/replay_two.h"
#include "experiments/replay/replayer.h"
#include "gflags/gflags.h"

DECLARE_string(run_dir);
DECLARE_int32(cores);
DEFINE_int64(
    from_step, 0,
    "compare what comes after so many steps; replays start from the newest checkpoint that "
    "is not after it");
DEFINE_int64(until_step, INT64_MAX, "replay and compare up to this step; default: all");
DEFINE_double(tolerance, 0.01,
              "relative, of metrics, where this processor lacks the run's vector level");

namespace starling {
namespace {

constexpr int kUnknown = 2;

// Where replays write: a directory that goes with this, or the user's.
class Scratch {
 public:
  static absl::StatusOr<Scratch> Make() {
    if (!FLAGS_run_dir.empty()) return Scratch(UserPath(FLAGS_run_dir), "");
    std::error_code error;
    const auto base = std::filesystem::temp_directory_path(error);
    std::string path = (error ? "/tmp" : base.string()) + "/starling-replay-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return FileError(errno, "make", path);
    return Scratch(path + "/run", path);
  }

  Scratch(Scratch&& other) noexcept
      : directory_(std::move(other.directory_)), removed_(std::move(other.removed_)) {
    other.removed_.clear();
  }
  ~Scratch() { Remove(); }

  void Remove() {
    std::error_code error;
    if (!removed_.empty()) std::filesystem::remove_all(removed_, error);
  }
  const std::string& directory() const { return directory_; }

 private:
  Scratch(std::string directory, std::string removed)
      : directory_(std::move(directory)), removed_(std::move(removed)) {}

  std::string directory_, removed_;
};

absl::Status CheckFlags(const Arguments& arguments) {
  const size_t runs = arguments.words.size();
  if (runs != 1 && runs != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("replay takes one run's directory, to run it again, or two, to compare them; ",
                     runs, " were given"));
  }
  if (FLAGS_from_step < 0 || FLAGS_until_step <= FLAGS_from_step) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from_step is ", FLAGS_from_step, " and --until_step ", FLAGS_until_step,
                     "; there must be steps after the first and not after the second"));
  }
  if (FLAGS_cores < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cores=", FLAGS_cores, ": it must be at least 1"));
  }
  if (!(FLAGS_tolerance >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tolerance=", FLAGS_tolerance, ": it must be at least 0"));
  }
  RETURN_IF_ERROR(Launch().status());
  if (runs == 2 && (StartsProcesses() || Launch()->size > 1)) {
    return absl::InvalidArgumentError(
        "two runs are compared in one process, whatever they were made by; leave mpirun out");
  }
  return absl::OkStatus();
}

// Fixes the level that the run had. Returns why its bits cannot come out again here; empty: they
// can.
absl::StatusOr<std::string> FixLevelOf(const RecordedRun& run, char** argv) {
  const bool fixable = !run.cpu.empty() && run.cpu != "baseline";
  if (fixable && FixLevels(run.cpu, argv).ok()) return "";
  RETURN_IF_ERROR(FixLevels("native", argv));
  if (run.cpu == CpuLevel()) return "";
  return absl::StrCat(run.path, " was made at vector level ", run.cpu.empty() ? "unknown" : run.cpu,
                      ", which this processor does not offer; here it is ", CpuLevel());
}

void PrintNotes(const RecordedRun& run) {
  if (!IsLead()) return;
  if (run.commit != BuildCommit()) {
    std::fprintf(stderr, "note: %s was made by commit %s%s, this program is of %s\n",
                 run.path.c_str(), run.commit.empty() ? "unknown" : run.commit.c_str(),
                 run.dirty ? " with source.patch" : "",
                 BuildCommit().empty() ? "unknown" : BuildCommit().c_str());
  } else if (run.dirty || BuildIsDirty()) {
    const auto patch = ReadFile(run.File("source.patch"));
    if (!patch.ok() || *patch != BuildPatch()) {
      std::fprintf(stderr,
                   "note: uncommitted changes of %s (source.patch) are not this program's\n",
                   run.path.c_str());
    }
  }
  if (run.status != "done") {
    std::fprintf(stderr, "note: the status of %s is %s\n", run.path.c_str(), run.status.c_str());
  }
}

absl::StatusOr<int> Replay(const Arguments& arguments, const std::vector<std::string>& command_line,
                           char** argv) {
  RETURN_IF_ERROR(CheckFlags(arguments));
  ASSIGN_OR_RETURN(const RecordedRun run, ReadRecordedRun(UserPath(arguments.words[0])));
  std::optional<RecordedRun> other;
  if (arguments.words.size() == 2) {
    ASSIGN_OR_RETURN(other, ReadRecordedRun(UserPath(arguments.words[1])));
  }
  ASSIGN_OR_RETURN(const std::string obstacle, FixLevelOf(run, argv));
  if (StartsProcesses()) {
    return RunAsProcesses(ArgumentsOf(run, arguments.set), ConfigOf(run), command_line,
                          [&](const Prepared& prepared) -> std::optional<int> {
                            const absl::Status data = CheckData(run, prepared.jobs);
                            if (data.ok()) return std::nullopt;
                            Complain(data);
                            return kUnknown;
                          });
  }
  ASSIGN_OR_RETURN(Scratch scratch, Scratch::Make());
  // Nothing of a replay is worth keeping when it is stopped.
  const auto stop = [&] {
    scratch.Remove();
    _exit(kCtrlCExitCode);
  };
  const InterruptWatcher watcher({[&](int) { stop(); }, [] {}, stop, [] {}});
  PrintNotes(run);
  if (other) PrintNotes(*other);
  ReplayOptions options;
  options.directory = scratch.directory();
  options.from_step = FLAGS_from_step;
  options.until_step = FLAGS_until_step;
  options.set = arguments.set;
  options.command_line = command_line;
  const auto equal = other ? ReplayTwo(run, *other, options, obstacle)
                           : ReplayOne(run, options, {obstacle, FLAGS_tolerance});
  RETURN_IF_ERROR(equal.status());
  return *equal ? 0 : 1;
}

}  // namespace

const Verb& ReplayVerb() {
  static const Verb* verb =
      new Verb{"replay",
               "replay RUN [OTHER] [--from_step=N] [--until_step=N] [flags]",
               "run a recorded run again, or find where two runs part",
               {"from_step", "until_step", "set", "run_dir", "tolerance", "cores", "np", "hosts"}};
  return *verb;
}

int ReplayCommand(const Arguments& arguments, const std::vector<std::string>& command_line,
                  char** argv) {
  const auto code = Replay(arguments, command_line, argv);
  if (code.ok()) return *code;
  Complain(code.status());
  return kUnknown;
}

}  // namespace starling
