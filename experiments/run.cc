#include "experiments/run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/config/text.h"
#include "core/cpu_level.h"
#include "core/plugin_table.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/manifest.h"
#include "core/run/trace_file.h"
#include "core/state_tensors.h"
#include "core/status.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/digest_trail.h"
#include "experiments/summary.h"
#include "experiments/trainer.h"
#include "glog/logging.h"
#include "models/versions.h"

namespace starling {
namespace {

absl::Status WriteManifest(const Plan& plan, const RunDirectory& directory,
                           const RunOptions& options, absl::Time start, bool ended) {
  ManifestInputs inputs;
  inputs.commit = options.commit;
  inputs.dirty = options.dirty;
  inputs.command_line = options.command_line;
  inputs.start = start;
  if (ended) inputs.end = absl::Now();
  inputs.libraries = ModelLibraryVersions();
  for (const std::string& kind : PluginTable::Global().Kinds()) {
    for (const PluginInfo* info : PluginTable::Global().List(kind)) {
      inputs.plugins[kind].push_back(info->facts.name);
    }
  }
  inputs.run = {
      {"cpu", CpuLevel()},
      {"cores", absl::StrCat(options.cores)},
      {"data_fingerprint", absl::StrFormat("%016x", plan.dataset->fingerprint())},
      {"partition_fingerprint", absl::StrFormat("%016x", Fingerprint(plan.assignment))},
  };
  return directory.Write("manifest.json", ManifestJson(inputs));
}

std::string Absolute(const RunDirectory& directory) {
  return std::filesystem::weakly_canonical(directory.path()).string();
}

// The checkpoint in this very directory that the run goes on from; null: none.
const ResumePoint* OwnResumePoint(const RunDirectory& directory, const RunOptions& options) {
  const bool own = options.resume && options.resume->source == Absolute(directory);
  return own ? &*options.resume : nullptr;
}

absl::StatusOr<std::vector<std::unique_ptr<MetricSink>>> MakeSinks(const Plan& plan,
                                                                   const RunDirectory& directory,
                                                                   const RunOptions& options) {
  std::map<std::string, std::string> positions;
  if (const ResumePoint* point = OwnResumePoint(directory, options)) {
    positions = point->manifest.metrics;
  }
  std::vector<std::unique_ptr<MetricSink>> sinks;
  for (const PluginRef& ref : plan.config.metric_sink()) {
    ASSIGN_OR_RETURN(auto sink, Registry<MetricSink>::Global().Create(
                                    ref, {directory.path(), positions[ref.name()]}));
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

constexpr int64_t kTimelineBytes = 64 << 20;
constexpr char kHangReport[] = "hang_report.txt";
constexpr char kSummary[] = "summary.json";
constexpr char kSourcePatch[] = "source.patch";

// Records how the run ended.
absl::Status WriteEnd(const Experiment& config, const RunResult& result,
                      const RunDirectory& directory) {
  absl::Status status = directory.Write(kSummary, SummaryJson(config, result));
  status.Update(directory.SetStatus(result.status));
  return status;
}

RunResult Failed(const absl::Status& reason) {
  RunResult result;
  result.status = RunStatus::kFailed;
  result.message = std::string(reason.message());
  return result;
}

// The same of a run that fails, in the directory `path`, at once: when a process dies, mpirun may
// kill the others within milliseconds.
void WriteFailure(const Experiment& config, const absl::Status& reason, const std::string& path) {
  absl::Status written = WriteFileAtomically(absl::StrCat(path, "/", kSummary),
                                             SummaryJson(config, Failed(reason)), Until::kVisible);
  written.Update(WriteFileAtomically(absl::StrCat(path, "/STATUS"),
                                     absl::StrCat(RunStatusName(RunStatus::kFailed), "\n"),
                                     Until::kVisible));
  if (!written.ok()) LOG(WARNING) << written.message();
}

// Everything before the first step that can fail: files that say what is run.
absl::Status BeginRecord(const Plan& plan, const RunDirectory& directory, const RunOptions& options,
                         absl::Time start) {
  RETURN_IF_ERROR(directory.SetStatus(RunStatus::kRunning));
  // What an earlier part of the run came to is no longer so.
  std::error_code error;
  for (const char* name : {kSummary, kSourcePatch}) {
    std::filesystem::remove(directory.File(name), error);
  }
  if (!options.patch.empty()) RETURN_IF_ERROR(directory.Write(kSourcePatch, options.patch));
  RETURN_IF_ERROR(directory.Write("config.textproto", PrintText(plan.config)));
  const auto earlier = ReadFile(directory.File("command.txt"));
  RETURN_IF_ERROR(directory.Write(
      "command.txt",
      absl::StrCat(earlier.ok() ? *earlier : "", absl::StrJoin(options.command_line, " "), "\n")));
  return WriteManifest(plan, directory, options, start, /*ended=*/false);
}

// The trail of digests, if the plan asks for one.
absl::StatusOr<std::unique_ptr<DigestTrailWriter>> MakeTrail(const Plan& plan,
                                                             const RunDirectory& directory,
                                                             const RunOptions& options) {
  if (plan.config.train().digest_every_steps() == 0) return nullptr;
  std::string position;
  if (const ResumePoint* point = OwnResumePoint(directory, options)) {
    const auto found = point->manifest.metrics.find(kDigestTrailFile);
    if (found != point->manifest.metrics.end()) position = found->second;
  }
  return DigestTrailWriter::Open(directory.File(kDigestTrailFile), position);
}

// Files that a monitor of the lead writes to, and that outlive it.
struct MonitorFiles {
  std::unique_ptr<TraceFile> timeline;
  std::unique_ptr<DigestTrailWriter> digests;
};

// What a monitor needs of a process of its kind.
absl::StatusOr<MonitorOptions> OptionsOf(const Plan& plan, const RunDirectory* directory,
                                         const RunOptions& options, ProcessGroup* group,
                                         MonitorFiles* files) {
  MonitorOptions monitor;
  monitor.group = group;
  monitor.end = options.end;
  if (options.timeline) monitor.timeline = [](std::string) {};
  if (directory == nullptr) {
    monitor.failed = [&plan, failed = options.failed](const absl::Status& reason,
                                                      const std::string& orphan) {
      // Where machines share the directory; elsewhere there is nobody left to say it.
      if (!orphan.empty()) WriteFailure(plan.config, reason, orphan);
      if (failed) failed(reason);
    };
    return monitor;
  }
  monitor.start.run_directory = Absolute(*directory);
  if (options.resume) {
    monitor.start.source = options.resume->source;
    monitor.start.step = options.resume->manifest.step;
  }
  if (options.timeline) {
    ASSIGN_OR_RETURN(files->timeline,
                     TraceFile::Create(directory->File("trace.json"), kTimelineBytes));
    monitor.timeline = [file = files->timeline.get()](std::string events) { file->Append(events); };
  }
  ASSIGN_OR_RETURN(files->digests, MakeTrail(plan, *directory, options));
  monitor.digests = files->digests.get();
  monitor.publish_page = [directory, progress = options.progress](const std::string& page) {
    const absl::Status written = directory->Write(kHangReport, page);
    progress->Finish();
    std::fprintf(stderr, "%s", page.c_str());
    if (!written.ok()) LOG(WARNING) << written.message();
  };
  monitor.failed = [&plan, directory, failed = options.failed](const absl::Status& reason,
                                                               const std::string&) {
    WriteFailure(plan.config, reason, directory->path());
    if (failed) failed(reason);
  };
  return monitor;
}

// Has the metrics and totals of a run go on where its checkpoint was made.
absl::Status RestoreRecord(const ResumePoint& point, Monitor* monitor) {
  const CheckpointDirectory directory(point.source);
  ASSIGN_OR_RETURN(const auto file, directory.OpenFile(point.manifest, kRecordFile));
  TensorLoader loader(/*layout=*/nullptr, &file->tensors());
  RETURN_IF_ERROR(
      WithContext(monitor->VisitState(&loader), directory.Path(point.manifest.step, kRecordFile)));
  return loader.CheckAllUsed();
}

// Trains the workers of this process. Fills `result` as far as it came.
absl::Status TrainAndMeasure(const Plan& plan, Backend* backend, const RunDirectory* directory,
                             const RunOptions& options, absl::Time start, RunResult* result) {
  std::vector<std::unique_ptr<MetricSink>> sinks;
  if (directory != nullptr) {
    RETURN_IF_ERROR(BeginRecord(plan, *directory, options, start));
    ASSIGN_OR_RETURN(sinks, MakeSinks(plan, *directory, options));
  }
  MonitorFiles files;
  ASSIGN_OR_RETURN(MonitorOptions monitor_options,
                   OptionsOf(plan, directory, options, backend->processes(), &files));
  Monitor monitor(&plan, options.progress, std::move(sinks), std::move(monitor_options));
  if (options.resume) RETURN_IF_ERROR(RestoreRecord(*options.resume, &monitor));
  if (options.watch) options.watch(&monitor);
  std::vector<TrainedState> states(plan.config.workers());
  absl::Status status = backend->Run([&](Communicator* comm) -> absl::Status {
    Trainer trainer(&plan, comm, &monitor);
    ASSIGN_OR_RETURN(states[comm->rank()], trainer.Run());
    return absl::OkStatus();
  });
  if (options.watch) options.watch(nullptr);
  options.progress->Finish();

  *result = monitor.Result();
  const ProcessGroup* group = backend->processes();
  const TrainedState& trained = states[group == nullptr ? 0 : group->process()];
  result->state_digest = trained.state_digest;
  result->evaluated = trained.evaluated;
  result->test = trained.test;
  status.Update(monitor.Flush());
  return status;
}

// Tells the other processes, which are on their way into the run, that it does not take place.
absl::Status EndAll(Backend* backend, const absl::Status& reason) {
  return backend->processes() == nullptr ? reason
                                         : backend->Run([&](Communicator*) { return reason; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Plan& plan, int cores) {
  const Experiment& config = plan.config;
  return Registry<Backend>::Global().Create(
      config.backend(),
      {config.workers(), config.workers_per_node(), cores, config.seed(), config.faults()});
}

absl::StatusOr<RunResult> RunTraining(const Plan& plan, Backend* backend,
                                      const absl::StatusOr<const RunDirectory*>& directory,
                                      const RunOptions& options) {
  if (!directory.ok()) {
    (void)EndAll(backend, directory.status());
    return directory.status();
  }
  const absl::Time start = absl::Now();
  RunResult result;
  absl::Status status = TrainAndMeasure(plan, backend, *directory, options, start, &result);
  if (*directory == nullptr) {
    if (!status.ok()) return status;
    return result;
  }
  status.Update(WriteManifest(plan, **directory, options, start, /*ended=*/true));
  if (!status.ok()) {
    const TimeSplit time = result.time;
    const int64_t steps = result.steps;
    result = Failed(status);
    result.time = time;
    result.steps = steps;
  }
  status.Update(WriteEnd(plan.config, result, **directory));
  if (!status.ok()) {
    (void)(*directory)->SetStatus(RunStatus::kFailed);
    return status;
  }
  return result;
}

}  // namespace starling
