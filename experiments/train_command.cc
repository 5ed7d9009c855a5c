#include "experiments/train_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/config/text.h"
#include "core/cpu_level.h"
#include "core/run/build_stamp.h"
#include "core/status.h"
#include "experiments/interrupt.h"
#include "experiments/launch.h"
#include "experiments/run.h"
#include "gflags/gflags.h"

DEFINE_string(run_dir, "", "where results go; default: runs/<name>/<date>-<hash>");
DEFINE_int32(cores, 0, "workers that compute at the same time; default: all cores");
DEFINE_bool(timeline, false, "write trace.json, for chrome://tracing and ui.perfetto.dev");
DEFINE_int32(np, 0, "start so many worker processes with mpirun (backend mpi)");
DEFINE_string(hosts, "", "where --np starts them: host:slots,...; default: here");
DEFINE_bool(dry_run, false, "print the resolved config and the plan, train nothing");

namespace starling {
namespace {

// Who may stop what runs now. The second signal ends the process, with what is written kept valid.
class Stopper {
 public:
  void Watch(Monitor* monitor, const RunDirectory* directory) {
    std::lock_guard<std::mutex> lock(mutex_);
    monitor_ = monitor;
    directory_ = directory;
    if (requested_ && monitor_ != nullptr) monitor_->RequestStop();
  }
  // The run has failed. A launcher answers that with signals, which are nobody's wish.
  void Failed() {
    std::lock_guard<std::mutex> lock(word_mutex_);
    failed_ = true;
  }
  void First() {
    std::lock_guard<std::mutex> lock(mutex_);
    requested_ = true;
    std::lock_guard<std::mutex> word_lock(word_mutex_);
    if (failed_) return;
    if (IsLead()) std::fprintf(stderr, "\nstopping after this step; once more to stop now\n");
    if (monitor_ == nullptr) return;
    // Said already now: a launcher that passes the signal on may kill a second later.
    if (directory_ != nullptr) (void)directory_->SetStatus(RunStatus::kInterrupted);
    monitor_->RequestStop();
  }
  void Report(const std::string& reason) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (monitor_ != nullptr) monitor_->WriteHangReport(reason);
  }
  void Second() {
    std::lock_guard<std::mutex> lock(mutex_);
    std::lock_guard<std::mutex> word_lock(word_mutex_);
    if (directory_ != nullptr && !failed_) {
      // Every record was flushed when it was made; only the word is missing.
      (void)directory_->SetStatus(RunStatus::kInterrupted);
    }
    _exit(130);
  }
  bool requested() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return requested_;
  }

 private:
  std::mutex word_mutex_;  // held while "interrupted" is written
  bool failed_ = false;
  mutable std::mutex mutex_;
  Monitor* monitor_ = nullptr;
  const RunDirectory* directory_ = nullptr;
  bool requested_ = false;
};

void PrintResult(const RunResult& result, const Plan& plan) {
  if (!result.message.empty()) {
    std::printf("%s: %s\n", std::string(RunStatusName(result.status)).c_str(),
                result.message.c_str());
  }
  if (!result.evaluated) return;
  if (result.test.bleu) std::printf("test BLEU %.2f, ", *result.test.bleu);
  if (result.test.accuracy) std::printf("test accuracy %.4f, ", *result.test.accuracy);
  if (result.test.perplexity) std::printf("test perplexity %.5g, ", *result.test.perplexity);
  std::printf("test loss %.6g, train loss %.6g, %d steps in %.1f s\n", result.test.loss,
              result.train_loss, static_cast<int>(result.steps), result.wall_seconds);
  std::printf("%.4g MB sent per worker, state digest %016lx\n",
              static_cast<double>(result.bytes_sent) / plan.config.workers() / 1e6,
              static_cast<unsigned long>(result.state_digest));
}

int Cores() {
  return FLAGS_cores > 0 ? FLAGS_cores : std::max(1u, std::thread::hardware_concurrency());
}

// A run's directory, in the lead; elsewhere there is none.
using LeadDirectory = std::unique_ptr<RunDirectory>;
absl::StatusOr<LeadDirectory> MakeDirectory(const std::string& path) {
  return IsLead() ? RunDirectory::Create(path) : absl::StatusOr<LeadDirectory>(nullptr);
}

absl::StatusOr<RunResult> RunJob(const Job& job, Backend* backend,
                                 const absl::StatusOr<LeadDirectory>& made, Stopper* stopper,
                                 const std::vector<std::string>& command_line) {
  Progress progress(stderr, isatty(STDERR_FILENO) != 0);
  const auto directory = made.ok() ? absl::StatusOr<const RunDirectory*>(made->get())
                                   : absl::StatusOr<const RunDirectory*>(made.status());
  RunOptions options;
  options.cores = Cores();
  options.timeline = FLAGS_timeline;
  options.command_line = command_line;
  options.commit = BuildCommit();
  options.dirty = BuildIsDirty();
  options.progress = &progress;
  options.failed = [stopper](const absl::Status& reason) {
    stopper->Failed();
    Complain(reason);
  };
  options.watch = [&](Monitor* monitor) {
    stopper->Watch(monitor, monitor == nullptr ? nullptr : *directory);
  };
  if (IsLead() && directory.ok()) {
    std::fprintf(stderr, "%s%s",
                 job.name.empty() ? "" : absl::StrCat("\narm ", job.name, "\n").c_str(),
                 PlanText(*job.plan).c_str());
    for (const std::string& note : job.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  }
  return RunTraining(*job.plan, backend, directory, options);
}

int DryRun(const std::vector<Job>& jobs) {
  for (const Job& job : jobs) {
    if (!job.name.empty()) std::printf("# arm %s\n", job.name.c_str());
    for (const std::string& note : job.notes) std::printf("# note: %s\n", note.c_str());
    std::printf("%s\n", PrintText(job.config).c_str());
    std::string plan = PlanText(*job.plan);
    plan.pop_back();
    std::printf("# %s\n\n", absl::StrReplaceAll(plan, {{"\n", "\n# "}}).c_str());
  }
  return 0;
}

int CodeOf(RunStatus status) {
  if (status == RunStatus::kDone) return 0;
  return status == RunStatus::kInterrupted ? 130 : 1;
}

// Hands over to mpirun, which starts this program again once per worker.
int StartProcesses(Arguments arguments, const BuiltInConfig& built_in,
                   const std::vector<std::string>& command_line) {
  // For mpirun /proc/self/exe would be mpirun.
  std::error_code not_a_link;
  const auto real = std::filesystem::read_symlink(OwnProgram(), not_a_link);
  const auto command =
      MpirunCommand(FLAGS_np, FLAGS_hosts, not_a_link ? OwnProgram() : real.string(),
                    {command_line.begin() + 1, command_line.end()});
  if (!command.ok()) return Complain(command.status());
  // A mistake in the config is told once, and before anything is started.
  arguments.set.push_back(command->back().substr(std::string("--set=").size()));
  const auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  if (FLAGS_dry_run) return DryRun(prepared->jobs);
  const absl::Status readable = CheckData(prepared->jobs);
  if (!readable.ok()) return Complain(readable);
  const auto code = RunProcesses(*command);
  return code.ok() ? *code : Complain(code.status());
}

// Runs all arms; one that fails does not keep the next from running.
int RunArms(const std::vector<Job>& jobs, std::unique_ptr<Backend> backend,
            const absl::StatusOr<LeadDirectory>& root, Stopper* stopper,
            const std::vector<std::string>& command_line) {
  std::vector<ArmResult> results;
  int code = 0;
  RunStatus status = RunStatus::kDone;
  for (const Job& job : jobs) {
    if (stopper->requested()) {
      code = 130;
      status = RunStatus::kInterrupted;
      break;
    }
    if (backend == nullptr) {
      auto made = MakeBackend(*job.plan, Cores());
      if (!made.ok()) return Complain(made.status());
      backend = *std::move(made);
    }
    const bool alone = backend->processes() == nullptr;
    absl::StatusOr<LeadDirectory> directory(nullptr);
    if (!root.ok()) {
      directory = root.status();
    } else if (*root != nullptr) {
      directory = MakeDirectory((*root)->File(job.name));
    }
    const absl::StatusOr<RunResult> result =
        RunJob(job, backend.get(), directory, stopper, command_line);
    backend.reset();
    if (!result.ok()) {
      code = Complain(result.status());
      status = RunStatus::kFailed;
      if (!alone || !root.ok()) break;  // processes that have failed once are no world any more
      continue;
    }
    if (CodeOf(result->status) != 0) {
      code = CodeOf(result->status);
      status = result->status;
    }
    results.push_back({job.name, job.config, *result});
  }
  if (!root.ok() || *root == nullptr) return code;
  const std::string table = ComparisonTable(results);
  std::printf("\n%s", table.c_str());
  for (const absl::Status& written :
       {(*root)->Write("comparison.txt", table), (*root)->SetStatus(status)}) {
    if (!written.ok()) return Complain(written);
  }
  return code;
}

}  // namespace

const Verb& TrainVerb() {
  static const Verb* verb =
      new Verb{"train",
               "train --config=FILE [--set PATH=VALUE]... [flags]",
               "train an experiment, or compare its arms",
               {"config", "set", "run_dir", "cores", "dry_run", "timeline", "np", "hosts", "cpu"}};
  return *verb;
}

int TrainCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                 const std::vector<std::string>& command_line) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(
        absl::StrCat("train takes no \"", arguments.words[0], "\"; the config is --config=FILE")));
  }
  if (FLAGS_cores < 0) {
    return Complain(absl::InvalidArgumentError(
        absl::StrCat("--cores=", FLAGS_cores, ": it must be at least 1")));
  }
  if (FLAGS_np != 0 || !FLAGS_hosts.empty())
    return StartProcesses(arguments, built_in, command_line);

  // Before any library can start threads of its own.
  Stopper stopper;
  InterruptWatcher watcher({[&] { stopper.First(); },
                            [&] { stopper.Report("stopping takes long; who waits for whom:"); },
                            [&] { stopper.Second(); },
                            [&] { stopper.Report("SIGUSR1; who waits for whom:"); }});

  auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  const std::vector<Job>& jobs = prepared->jobs;
  if (FLAGS_dry_run) return IsLead() ? DryRun(jobs) : 0;
  const absl::Status readable = CheckData(jobs);
  if (!readable.ok()) return Complain(readable);

  // Before anything is written: where a run has several processes, they find each other here.
  auto backend = MakeBackend(*jobs[0].plan, Cores());
  if (!backend.ok()) return Complain(backend.status());
  const Experiment& first = jobs[0].config;
  const std::string path =
      FLAGS_run_dir.empty()
          ? RunDirectory::DefaultPath(UserPath("runs"), first.name(), PrintText(first))
          : UserPath(FLAGS_run_dir);
  const auto directory = MakeDirectory(path);
  int code = 0;
  if (jobs[0].name.empty()) {
    const auto result = RunJob(jobs[0], backend->get(), directory, &stopper, command_line);
    if (!result.ok()) return Complain(result.status());
    if (IsLead()) PrintResult(*result, *jobs[0].plan);
    code = CodeOf(result->status);
  } else {
    if (directory.ok() && *directory != nullptr) {
      const absl::Status written =
          (*directory)->Write("config.textproto", PrintText(prepared->config));
      if (!written.ok()) return Complain(written);
    }
    code = RunArms(jobs, *std::move(backend), directory, &stopper, command_line);
  }
  if (IsLead() && directory.ok()) std::printf("results: %s\n", path.c_str());
  return code;
}

namespace {

// "low - high", with as many digits as fit into `width`: losses can be anything.
std::string SpreadText(const std::vector<double>& values, bool fractions, size_t width) {
  if (values.empty()) return "-";
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (fractions) return absl::StrFormat("%.4f - %.4f", *low, *high);
  std::string text;
  for (int digits = 4; digits > 0; --digits) {
    text = absl::StrFormat("%.*g - %.*g", digits, *low, digits, *high);
    if (text.size() <= width) break;
  }
  return text;
}

}  // namespace

std::string ComparisonTable(const std::vector<ArmResult>& arms) {
  bool classifies = false;
  for (const ArmResult& arm : arms) classifies |= arm.result.test.accuracy.has_value();
  const char* row = "%-11s %-11s %9s %17s %9s %10s %7s\n";
  const auto format = absl::ParsedFormat<'s', 's', 's', 's', 's', 's', 's'>(row);
  std::string text;
  absl::StrAppendFormat(&text, format, "arm", "status", classifies ? "accuracy" : "loss",
                        "over workers", "consensus", "MB sent", "seconds");
  absl::StrAppendFormat(&text, format, "", "", "(test)", "", "distance", "per worker", "");
  for (const ArmResult& arm : arms) {
    const RunResult& result = arm.result;
    std::string average = "-", spread = "-";
    // An arm may have changed the data set to one without classes.
    if (result.evaluated && result.test.accuracy.has_value() == classifies) {
      average = classifies ? absl::StrFormat("%.4f", *result.test.accuracy)
                           : absl::StrFormat("%.4g", result.test.loss);
      spread = SpreadText(classifies ? result.test.worker_accuracy : result.test.worker_loss,
                          classifies, /*width=*/17);
    }
    // A name that is too long for its column gets a line of its own.
    std::string name = arm.name;
    if (name.size() > 11) {
      absl::StrAppend(&text, name, "\n");
      name.clear();
    }
    const double megabytes = static_cast<double>(result.bytes_sent) / arm.config.workers() / 1e6;
    absl::StrAppendFormat(
        &text, format, name, RunStatusName(result.status), average, spread,
        absl::StrFormat("%.3g", result.consensus_distance), absl::StrFormat("%.4g", megabytes),
        absl::StrFormat(result.wall_seconds < 1e5 ? "%.1f" : "%.0f", result.wall_seconds));
  }
  absl::StrAppend(&text, classifies ? "Accuracy" : "Loss",
                  " is the averaged model's. All workers share this machine's cores, so\n"
                  "seconds say nothing about the speed of either method on a cluster.\n");
  return text;
}

}  // namespace starling
