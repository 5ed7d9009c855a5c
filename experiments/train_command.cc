#include "experiments/train_command.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/config/text.h"
#include "core/run/build_stamp.h"
#include "core/status.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/comparison.h"
#include "experiments/interrupt.h"
#include "experiments/launch.h"
#include "experiments/resume.h"
#include "experiments/run.h"
#include "experiments/step_prediction.h"
#include "experiments/summary.h"
#include "gflags/gflags.h"

DEFINE_string(run_dir, "",
              "the run's directory; train makes it, default: runs/<name>/<date>-<hash>");
DEFINE_string(resume, "",
              "go on where it stopped: a run from the latest checkpoint in --run_dir, or from that "
              "of a run or checkpoint directory; a sweep with its interrupted runs");
DECLARE_int32(cores);
DEFINE_bool(timeline, false, "write trace.json, for chrome://tracing and ui.perfetto.dev");
DEFINE_bool(dry_run, false, "print what would run, resolved and checked; train nothing");

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
  void First(int signal) {
    std::lock_guard<std::mutex> lock(mutex_);
    requested_ = true;
    by_ctrl_c_ = signal == SIGINT;
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
    _exit(StoppedCode());
  }
  int ExitCode() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return StoppedCode();
  }
  bool requested() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return requested_;
  }

 private:
  int StoppedCode() const { return by_ctrl_c_ ? kCtrlCExitCode : kResumableExitCode; }

  std::mutex word_mutex_;  // held while "interrupted" is written
  bool failed_ = false;
  mutable std::mutex mutex_;
  Monitor* monitor_ = nullptr;
  const RunDirectory* directory_ = nullptr;
  bool requested_ = false, by_ctrl_c_ = false;
};

void PrintResult(const RunResult& result, const Plan& plan) {
  if (!result.message.empty()) {
    std::printf("%s: %s\n", std::string(RunStatusName(result.status)).c_str(),
                result.message.c_str());
  }
  if (result.sim_seconds) {
    std::printf(
        "simulated: %.6g s, %.6g ms per step\n", *result.sim_seconds,
        *result.sim_seconds * 1e3 / static_cast<double>(std::max<int64_t>(result.steps, 1)));
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

// Where a training writes, and what it goes on from.
struct Place {
  std::string directory;
  std::optional<ResumeRequest> resume;

  // Whether an earlier part of the training has written there.
  bool Continues() const {
    namespace fs = std::filesystem;
    return resume && fs::weakly_canonical(resume->source) == fs::weakly_canonical(directory);
  }
  // That of an arm, which may not have begun yet.
  Place Arm(const std::string& name) const {
    Place arm{absl::StrCat(directory, "/", name), std::nullopt};
    if (resume) arm.resume = ResumeRequest{absl::StrCat(resume->source, "/", name), -1, true};
    return arm;
  }
};

absl::StatusOr<Place> FindPlace(const Experiment& config) {
  namespace fs = std::filesystem;
  Place place;
  if (!FLAGS_run_dir.empty()) place.directory = UserPath(FLAGS_run_dir);
  if (FLAGS_resume == "auto") {
    if (FLAGS_run_dir.empty()) {
      return absl::InvalidArgumentError(
          "--resume goes on with the run in --run_dir=DIR, which is missing; or name the run: "
          "--resume=DIR");
    }
    place.resume = ResumeRequest{place.directory, -1, true};
  } else if (!FLAGS_resume.empty()) {
    const std::string path = UserPath(FLAGS_resume);
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--resume=", FLAGS_resume, ": there is no such directory"));
    }
    place.resume = ResumeRequest{path, CheckpointDirectory::StepOf(path), false};
    if (place.resume->step >= 0) {
      place.resume->source = fs::canonical(path).parent_path().parent_path().string();
    }
    if (FLAGS_run_dir.empty()) place.directory = place.resume->source;
  } else if (FLAGS_run_dir.empty()) {
    place.directory = RunDirectory::DefaultPath(UserPath("runs"), config.name(), PrintText(config));
  }
  return place;
}

// A run's directory, in the lead; elsewhere there is none.
using LeadDirectory = std::unique_ptr<RunDirectory>;
absl::StatusOr<LeadDirectory> MakeDirectory(const Place& place) {
  if (!IsLead()) return nullptr;
  return place.Continues() ? RunDirectory::Open(place.directory)
                           : RunDirectory::Create(place.directory);
}

// Whether this was trained before, so that nothing is left to do.
bool IsFinished(const Place& place, const Job& job) {
  return place.Continues() && place.resume->step < 0 && IsFinished(place.directory, *job.plan);
}

// Beside a simulated run, for its report.
absl::Status WritePrediction(const Plan& plan, const RunDirectory& directory) {
  ASSIGN_OR_RETURN(const auto simulated, SimulatedSetting(plan));
  if (!simulated) return absl::OkStatus();
  ASSIGN_OR_RETURN(const StepPrediction prediction, PredictStep(plan, *simulated));
  return directory.Write("prediction.json", PredictionJson(simulated->cluster.name(), prediction));
}

absl::StatusOr<RunResult> RunJob(const Job& job, Backend* backend, const Place& place,
                                 const absl::StatusOr<LeadDirectory>& made, Stopper* stopper,
                                 const std::vector<std::string>& command_line) {
  Progress progress(stderr, isatty(STDERR_FILENO) != 0);
  auto directory = made.ok() ? absl::StatusOr<const RunDirectory*>(made->get())
                             : absl::StatusOr<const RunDirectory*>(made.status());
  RunOptions options;
  std::vector<std::string> notes = job.notes;
  if (IsLead() && directory.ok() && place.resume) {
    auto point = FindResumePoint(*place.resume, *job.plan, &notes);
    if (point.ok()) {
      options.resume = *std::move(point);
    } else {
      directory = point.status();
    }
  }
  options.cores = Cores();
  options.timeline = FLAGS_timeline;
  options.command_line = command_line;
  options.commit = BuildCommit();
  options.dirty = BuildIsDirty();
  options.patch = BuildPatch();
  options.progress = &progress;
  options.failed = [stopper](const absl::Status& reason) {
    stopper->Failed();
    Complain(reason);
  };
  options.watch = [&](Monitor* monitor) {
    stopper->Watch(monitor, monitor == nullptr ? nullptr : *directory);
  };
  if (IsLead() && directory.ok()) {
    const absl::Status written = WritePrediction(*job.plan, **directory);
    if (!written.ok()) directory = written;
  }
  if (IsLead() && directory.ok()) {
    std::fprintf(stderr, "%s%s",
                 job.name.empty() ? "" : absl::StrCat("\narm ", job.name, "\n").c_str(),
                 PlanText(*job.plan).c_str());
  }
  if (IsLead()) {
    for (const std::string& note : notes) std::fprintf(stderr, "note: %s\n", note.c_str());
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

int CodeOf(RunStatus status, const Stopper& stopper) {
  if (status == RunStatus::kDone) return 0;
  return status == RunStatus::kInterrupted ? stopper.ExitCode() : 1;
}

// What can be told before processes are started: nothing more to do, or a mistake.
std::optional<int> BeforeProcesses(const Prepared& prepared) {
  if (FLAGS_dry_run) return DryRun(prepared.jobs);
  const absl::Status readable = CheckData(prepared.jobs);
  if (!readable.ok()) return Complain(readable);
  return std::nullopt;
}

// Runs all arms but those that are finished; one that fails does not keep the next from running.
int RunArms(const std::vector<Job>& jobs, std::unique_ptr<Backend> backend, const Place& place,
            const absl::StatusOr<LeadDirectory>& root, Stopper* stopper,
            const std::vector<std::string>& command_line) {
  std::vector<ArmResult> results;
  int code = 0;
  RunStatus status = RunStatus::kDone;
  for (const Job& job : jobs) {
    const Place own = place.Arm(job.name);
    if (IsFinished(own, job)) {
      auto summary = ReadSummary(own.directory);
      if (!summary.ok()) return Complain(summary.status());
      results.push_back({job.name, job.config, *std::move(summary)});
      continue;
    }
    if (stopper->requested()) {
      code = stopper->ExitCode();
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
      directory = MakeDirectory(own);
    }
    const absl::StatusOr<RunResult> result =
        RunJob(job, backend.get(), own, directory, stopper, command_line);
    backend.reset();
    if (!result.ok()) {
      code = Complain(result.status());
      status = RunStatus::kFailed;
      if (!alone || !root.ok()) break;  // processes that have failed once are no world any more
      continue;
    }
    if (CodeOf(result->status, *stopper) != 0) {
      code = CodeOf(result->status, *stopper);
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
  static const Verb* verb = new Verb{
      "train",
      "train --config=FILE [--set PATH=VALUE]... [flags]",
      "train an experiment, or compare its arms",
      {"config", "set", "run_dir", "resume", "cores", "dry_run", "timeline", "np", "hosts", "cpu"},
      {{"resume", "auto"}}};
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
  if (StartsProcesses()) return RunAsProcesses(arguments, built_in, command_line, BeforeProcesses);

  // Before any library can start threads of its own.
  Stopper stopper;
  InterruptWatcher watcher({[&](int signal) {
                              // A scheduler's: the last chance to see what the run was doing.
                              if (signal == SIGUSR1) stopper.Report("SIGUSR1; who waits for whom:");
                              stopper.First(signal);
                            },
                            [&] { stopper.Report("stopping takes long; who waits for whom:"); },
                            [&] { stopper.Second(); },
                            [&] { stopper.Report("SIGUSR2; who waits for whom:"); }});

  auto prepared = Prepare(arguments, built_in);
  if (!prepared.ok()) return Complain(prepared.status());
  const std::vector<Job>& jobs = prepared->jobs;
  if (FLAGS_dry_run) return IsLead() ? DryRun(jobs) : 0;
  const absl::Status readable = CheckData(jobs);
  if (!readable.ok()) return Complain(readable);

  const Experiment& first = jobs[0].config;
  const auto place = FindPlace(first);
  if (!place.ok()) return Complain(place.status());
  const bool has_arms = !jobs[0].name.empty();
  const auto next = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) {
    return !IsFinished(has_arms ? place->Arm(job.name) : *place, job);
  });
  if (next == jobs.end()) {
    if (IsLead()) std::printf("%s: finished, nothing to do\n", place->directory.c_str());
    return 0;
  }

  // Before anything is written: where a run has several processes, they find each other here.
  auto backend = MakeBackend(*next->plan, Cores());
  if (!backend.ok()) return Complain(backend.status());
  const auto directory = MakeDirectory(*place);
  int code = 0;
  if (!has_arms) {
    const auto result = RunJob(jobs[0], backend->get(), *place, directory, &stopper, command_line);
    if (!result.ok()) return Complain(result.status());
    if (IsLead()) PrintResult(*result, *jobs[0].plan);
    code = CodeOf(result->status, stopper);
  } else {
    if (directory.ok() && *directory != nullptr) {
      for (const absl::Status& written :
           {(*directory)->Write("config.textproto", PrintText(prepared->config)),
            (*directory)->SetStatus(RunStatus::kRunning)}) {
        if (!written.ok()) return Complain(written);
      }
    }
    code = RunArms(jobs, *std::move(backend), *place, directory, &stopper, command_line);
  }
  if (IsLead() && directory.ok()) std::printf("results: %s\n", place->directory.c_str());
  return code;
}

}  // namespace starling
