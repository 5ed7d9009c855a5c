#include "experiments/run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/config/text.h"
#include "core/cpu_level.h"
#include "core/registry.h"
#include "core/run/manifest.h"
#include "core/status.h"
#include "experiments/trainer.h"
#include "models/versions.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(); }

absl::Status WriteManifest(const Plan& plan, const RunDirectory& directory,
                           const RunOptions& options, absl::Time start, bool ended) {
  ManifestInputs inputs;
  inputs.commit = options.commit;
  inputs.dirty = options.dirty;
  inputs.command_line = options.command_line;
  inputs.start = start;
  if (ended) inputs.end = absl::Now();
  inputs.libraries = ModelLibraryVersions();
  inputs.run = {
      {"cpu", CpuLevel()},
      {"cores", absl::StrCat(options.cores)},
      {"data_fingerprint", absl::StrFormat("%016x", plan.dataset->fingerprint())},
      {"partition_fingerprint", absl::StrFormat("%016x", Fingerprint(plan.assignment))},
  };
  return directory.Write("manifest.json", ManifestJson(inputs));
}

absl::StatusOr<std::vector<std::unique_ptr<MetricSink>>> MakeSinks(const Plan& plan,
                                                                   const RunDirectory& directory) {
  std::vector<std::unique_ptr<MetricSink>> sinks;
  for (const PluginRef& ref : plan.config.metric_sink()) {
    ASSIGN_OR_RETURN(auto sink, Registry<MetricSink>::Global().Create(ref, {directory.path()}));
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

// Trains all workers of this process.
absl::Status RunWorkers(const Plan& plan, const RunOptions& options, Monitor* monitor,
                        TrainedState* trained) {
  const Experiment& config = plan.config;
  const Backend::Context world{config.workers(), config.workers_per_node(), options.cores};
  ASSIGN_OR_RETURN(auto backend, Registry<Backend>::Global().Create(config.backend(), world));
  std::vector<TrainedState> states(config.workers());
  RETURN_IF_ERROR(backend->Run([&](Communicator* comm) -> absl::Status {
    Trainer trainer(&plan, comm, monitor);
    ASSIGN_OR_RETURN(states[comm->rank()], trainer.Run());
    return absl::OkStatus();
  }));
  *trained = states[0];
  return absl::OkStatus();
}

// Everything but the records that say how it ended. Fills `result` as far as it came.
absl::Status TrainAndMeasure(const Plan& plan, const RunDirectory& directory,
                             const RunOptions& options, absl::Time start, RunResult* result) {
  RETURN_IF_ERROR(directory.Write("config.textproto", PrintText(plan.config)));
  RETURN_IF_ERROR(directory.Write("command.txt", absl::StrJoin(options.command_line, " ") + "\n"));
  RETURN_IF_ERROR(WriteManifest(plan, directory, options, start, /*ended=*/false));
  ASSIGN_OR_RETURN(auto sinks, MakeSinks(plan, directory));
  Monitor monitor(&plan, options.progress, std::move(sinks));
  if (options.watch) options.watch(&monitor);
  TrainedState trained;
  absl::Status status = RunWorkers(plan, options, &monitor, &trained);
  if (options.watch) options.watch(nullptr);
  options.progress->Finish();

  *result = monitor.Result();
  result->state_digest = trained.state_digest;
  result->evaluated = trained.evaluated;
  result->test = trained.test;
  status.Update(monitor.Flush());
  return status;
}

}  // namespace

absl::StatusOr<RunResult> RunTraining(const Plan& plan, const RunDirectory& directory,
                                      const RunOptions& options) {
  const absl::Time start = absl::Now();
  RunResult result;
  absl::Status status = TrainAndMeasure(plan, directory, options, start, &result);
  status.Update(WriteManifest(plan, directory, options, start, /*ended=*/true));
  if (!status.ok()) {
    result.status = RunStatus::kFailed;
    result.message = std::string(status.message());
  }
  status.Update(directory.Write("summary.json", SummaryJson(plan.config, result)));
  status.Update(directory.SetStatus(status.ok() ? result.status : RunStatus::kFailed));
  if (!status.ok()) return status;
  return result;
}

std::string SummaryJson(const Experiment& config, const RunResult& result) {
  Json json;
  json["name"] = config.name();
  json["status"] = std::string(RunStatusName(result.status));
  json["message"] = result.message;
  json["workers"] = config.workers();
  json["steps"] = result.steps;
  json["train_loss"] = NumberOrNull(result.train_loss);
  json["eval_accuracy"] = result.test.accuracy ? NumberOrNull(*result.test.accuracy) : Json();
  json["eval_loss"] = result.evaluated ? NumberOrNull(result.test.loss) : Json();
  const auto numbers = [](const std::vector<double>& values) {
    Json list = Json::array();
    for (double value : values) list.push_back(NumberOrNull(value));
    return list;
  };
  json["worker_accuracy"] = numbers(result.test.worker_accuracy);
  json["worker_loss"] = numbers(result.test.worker_loss);
  json["consensus_distance"] = NumberOrNull(result.consensus_distance);
  json["bytes_sent_per_worker"] = static_cast<double>(result.bytes_sent) / config.workers();
  json["wall_seconds"] = result.wall_seconds;
  const bool has_digest = result.status != RunStatus::kFailed;
  json["state_digest"] = has_digest ? Json(absl::StrFormat("%016x", result.state_digest)) : Json();
  // A reason may quote a file's bytes; what is no UTF-8 in it becomes U+FFFD.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace starling
