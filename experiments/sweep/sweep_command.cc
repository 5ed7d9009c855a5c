#include "experiments/sweep/sweep_command.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/checksum.h"
#include "core/config/text.h"
#include "core/registry.h"
#include "core/run/build_stamp.h"
#include "core/run/file_io.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/interrupt.h"
#include "experiments/launch.h"
#include "experiments/report/report.h"
#include "experiments/report/sweep_input.h"
#include "experiments/sweep/expansion.h"
#include "experiments/sweep/launcher.h"
#include "experiments/sweep/results.h"
#include "experiments/sweep/session.h"
#include "gflags/gflags.h"

DEFINE_string(sweep_dir, "",
              "the sweep's directory; default: sweeps/<name>-<hash of the definition>, so that "
              "the same sweep goes on");
DEFINE_int32(jobs, 0, "runs at a time; default: the launcher's, for local one per core");
DEFINE_bool(retry_failed, false, "run again what has failed");
DEFINE_bool(fail_fast, false, "stop at the first failure");
DEFINE_bool(accept_build, false, "go on with a sweep that another build has begun");
DEFINE_string(launcher, "", "where runs run, instead of what the sweep says: local, slurm, ...");
DECLARE_string(config);
DECLARE_string(resume);
DECLARE_string(cpu);
DECLARE_bool(dry_run);

namespace starling {
namespace {

std::string Hash(const std::string& text) {
  Crc64 hash;
  hash.Add(text);
  return absl::StrFormat("%016x", hash.value());
}

// Tells builds apart: the commit, or, where that does not say all, the program itself.
absl::StatusOr<std::string> BuildName(const std::string& program) {
  if (!BuildCommit().empty() && !BuildIsDirty()) return BuildCommit();
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(program));
  return absl::StrCat(BuildCommit().empty() ? "unknown" : BuildCommit(), "+", Hash(bytes));
}

absl::StatusOr<SweepDefinition> LoadDefinition(const Arguments& arguments,
                                               const BuiltInConfig& built_in) {
  if (FLAGS_config.empty()) {
    if (!built_in.is_sweep) {
      return absl::InvalidArgumentError(
          "--config=FILE is missing; experiments/configs/ablation.textproto is a sweep");
    }
    return ParseSweep(built_in.text, built_in.file, arguments.set);
  }
  const std::string path = UserPath(FLAGS_config);
  const auto text = ReadFile(path);
  if (!text.ok()) return absl::InvalidArgumentError(text.status().message());
  return ParseSweep(*text, path, arguments.set);
}

absl::StatusOr<std::unique_ptr<Launcher>> MakeLauncher(const Sweep& sweep) {
  PluginRef launcher = sweep.launcher();
  if (!FLAGS_launcher.empty() && FLAGS_launcher != launcher.name()) {
    launcher.Clear();
    launcher.set_name(FLAGS_launcher);
  }
  return Registry<Launcher>::Global().Create(launcher, {});
}

absl::Status CheckFlags(const Arguments& arguments) {
  if (!arguments.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("sweep takes no \"", arguments.words[0],
                                                   "\"; the definition is --config=FILE"));
  }
  if (FLAGS_jobs < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--jobs=", FLAGS_jobs, ": it must be at least 1"));
  }
  if (!FLAGS_resume.empty() && FLAGS_resume != "auto") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--resume=", FLAGS_resume, ": a sweep goes on in its --sweep_dir; --resume stands alone"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunSweep(const Arguments& arguments, const BuiltInConfig& built_in,
                             SessionOptions* options) {
  RETURN_IF_ERROR(CheckFlags(arguments));
  ASSIGN_OR_RETURN(const SweepDefinition definition, LoadDefinition(arguments, built_in));
  const Sweep& sweep = definition.sweep;
  ASSIGN_OR_RETURN(const auto launcher, MakeLauncher(sweep));
  ASSIGN_OR_RETURN(Expansion first, ExpandSweep(definition));
  if (FLAGS_dry_run) {
    std::printf("%s", ExpansionText(first).c_str());
    if (sweep.tune_size() > 0) {
      std::printf("then, with what is best by %s, %d seeds of each of %d combinations\n",
                  sweep.tune_metric().c_str(), static_cast<int>(sweep.seeds()),
                  static_cast<int>(TuningGroups(definition, first).size()));
    }
    return 0;
  }

  options->program = ProgramFile();
  options->cpu = FLAGS_cpu;
  options->jobs = FLAGS_jobs;
  options->resume = !FLAGS_resume.empty();
  options->retry_failed = FLAGS_retry_failed;
  options->fail_fast = FLAGS_fail_fast;
  ASSIGN_OR_RETURN(const std::string build, BuildName(options->program));
  const std::string default_path =
      absl::StrCat("sweeps/", sweep.name(), "-", Hash(PrintText(sweep)).substr(0, 6));
  const SweepDirectory directory(
      UserPath(FLAGS_sweep_dir.empty() ? default_path : FLAGS_sweep_dir));
  RETURN_IF_ERROR(directory.Begin(sweep, build, FLAGS_accept_build));

  LiveView view(stderr, isatty(STDERR_FILENO) != 0);
  const size_t dropped = first.dropped.size();
  view.Line(absl::StrCat("sweep ", sweep.name(), ": ", first.runs.size(), " runs in ",
                         directory.path(),
                         dropped == 0 ? "" : absl::StrCat(", ", dropped, " combinations dropped")));
  SweepSession session(definition, std::move(first), directory, *options, &view);
  ASSIGN_OR_RETURN(const QueueEnd end, launcher->Launch(&session));
  view.Clear();
  RETURN_IF_ERROR(session.WriteResults());
  ASSIGN_OR_RETURN(const Expansion* final, session.Final());
  if (final != nullptr) {
    const auto rows = ReadResults(directory, *final, sweep.metric());
    std::printf("%s%s", ResultsText(sweep, *final, rows).c_str(), LeftText(rows).c_str());
    ASSIGN_OR_RETURN(const ReportInput report, ReadSweep(directory.path()));
    RETURN_IF_ERROR(WriteReport(report, directory.path()));
  }
  std::printf("results: %s%s\n", directory.path().c_str(), final == nullptr ? "" : "/report.html");
  if (end == QueueEnd::kStopped) return -1;
  return end == QueueEnd::kFinished ? 0 : 1;
}

}  // namespace

const Verb& SweepVerb() {
  static const Verb* verb =
      new Verb{"sweep",
               "sweep --config=FILE --sweep_dir=DIR [--set PATH=VALUE]... [flags]",
               "run an experiment many times with some fields varied",
               {"config", "set", "sweep_dir", "jobs", "resume", "retry_failed", "fail_fast",
                "dry_run", "launcher", "accept_build", "cpu"},
               {{"resume", "auto"}}};
  return *verb;
}

int SweepCommand(const Arguments& arguments, const BuiltInConfig& built_in) {
  SessionOptions options;
  int stopped_code = kResumableExitCode;
  // Before any library can start threads of its own. The runs end with this process.
  InterruptWatcher watcher({[&](int signal) {
                              if (signal == SIGINT) stopped_code = kCtrlCExitCode;
                              std::fprintf(stderr,
                                           "\nstopping: runs finish their step and can go on "
                                           "later; once more to stop now\n");
                              options.stop = true;
                            },
                            [] {}, [&] { _exit(stopped_code); }, [] {}});
  const auto code = RunSweep(arguments, built_in, &options);
  if (!code.ok()) return Complain(code.status());
  return *code < 0 ? stopped_code : *code;
}

}  // namespace starling
