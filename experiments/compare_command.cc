#include "experiments/compare_command.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cluster/cluster.h"
#include "cluster/runtime_model.h"
#include "core/run/build_stamp.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/calibration.h"
#include "experiments/launch.h"
#include "experiments/run.h"
#include "experiments/step_prediction.h"
#include "gflags/gflags.h"
#include "nlohmann/json.hpp"

DECLARE_string(cluster);
DECLARE_string(config);
DECLARE_string(run_dir);
DECLARE_bool(json);
DEFINE_int32(steps, 50, "training steps of each arm");

namespace starling {
namespace {

// The first steps, which make connections and fill caches, do not count.
constexpr double kWarmUpShare = 0.1;

struct Compared {
  std::string arm, topology, algorithm;
  StepPrediction predicted;
  double measured_ms = 0, measured_p99_ms = 0;

  double error() const { return predicted.mean_ms / measured_ms - 1; }
};

absl::StatusOr<StepPrediction> Predict(const Plan& plan, const ClusterSpec& cluster,
                                       std::vector<std::string>* notes) {
  Setting setting{cluster, {}};
  ASSIGN_OR_RETURN(setting.model, ModelOf(cluster, plan.config.model().name()));
  ASSIGN_OR_RETURN(const std::vector<double> buckets_mb, BucketsOf(plan));
  SetBuckets(buckets_mb, &setting.model, notes);
  return PredictStep(plan, std::move(setting));
}

// The cluster of --cluster, or this one, measured now; with the plan's model, measured now if the
// cluster does not know it.
absl::StatusOr<ClusterSpec> ClusterFor(const Plan& plan,
                                       const std::vector<std::string>& command_line) {
  CalibrationParts parts;
  ClusterSpec cluster;
  if (!FLAGS_cluster.empty()) {
    ASSIGN_OR_RETURN(cluster, LoadCluster(FLAGS_cluster));
    if (ModelOf(cluster, plan.config.model().name()).ok()) return cluster;
    parts.network = false;
  }
  ASSIGN_OR_RETURN(ClusterSpec measured, Calibrate(plan, parts, Cores(), command_line));
  if (parts.network) {
    RETURN_IF_ERROR(CompleteCluster(&measured));
    return measured;
  }
  *cluster.mutable_model() = measured.model();
  *cluster.mutable_jitter() = measured.jitter();
  *cluster.mutable_slow_worker() = measured.slow_worker();
  return cluster;
}

// Trains one job; null directory: this process is not the lead.
absl::StatusOr<RunResult> Train(const Job& job, const std::string& path,
                                const std::string& prediction,
                                const std::vector<std::string>& command_line) {
  ASSIGN_OR_RETURN(const auto backend, MakeBackend(*job.plan, Cores()));
  absl::StatusOr<std::unique_ptr<RunDirectory>> made(nullptr);
  if (IsLead()) made = RunDirectory::Create(path);
  if (IsLead() && made.ok()) {
    const absl::Status written = (*made)->Write("prediction.json", prediction);
    if (!written.ok()) made = written;
  }
  const auto directory = made.ok() ? absl::StatusOr<const RunDirectory*>(made->get())
                                   : absl::StatusOr<const RunDirectory*>(made.status());
  Progress progress(stderr, isatty(STDERR_FILENO) != 0);
  RunOptions options;
  options.cores = Cores();
  options.command_line = command_line;
  options.commit = BuildCommit();
  options.dirty = BuildIsDirty();
  options.patch = BuildPatch();
  options.progress = &progress;
  options.failed = [](const absl::Status& reason) { Complain(reason); };
  return RunTraining(*job.plan, backend.get(), directory, options);
}

double MeanAfterWarmUp(const std::vector<float>& step_ms) {
  const auto begin =
      step_ms.begin() +
      static_cast<int64_t>(std::ceil(kWarmUpShare * static_cast<double>(step_ms.size())));
  return std::accumulate(begin, step_ms.end(), 0.0) / static_cast<double>(step_ms.end() - begin);
}

void PrintText(const std::vector<Compared>& rows) {
  std::printf("%-14s %-20s %-13s %8s %8s %7s\n", "arm", "topology", "algorithm", "predict",
              "measured", "error");
  std::printf("%-14s %-20s %-13s %8s %8s %7s\n", "", "", "", "ms", "ms", "%");
  for (const Compared& row : rows) {
    std::printf("%-14s %-20s %-13s %8.4g %8.4g %+7.1f\n", row.arm.c_str(), row.topology.c_str(),
                row.algorithm.c_str(), row.predicted.mean_ms, row.measured_ms, 100 * row.error());
  }
}

void PrintJson(const std::vector<Compared>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Compared& row : rows) {
    list.push_back({{"arm", row.arm},
                    {"topology", row.topology},
                    {"algorithm", row.algorithm},
                    {"predicted_ms", row.predicted.mean_ms},
                    {"predicted_low_ms", row.predicted.low_ms},
                    {"predicted_high_ms", row.predicted.high_ms},
                    {"predicted_p99_ms", row.predicted.p99_ms},
                    {"regime", RegimeName(row.predicted.regime)},
                    {"measured_ms", row.measured_ms},
                    {"measured_p99_ms", row.measured_p99_ms},
                    {"error", row.error()}});
  }
  std::printf("%s\n", list.dump(2).c_str());
}

absl::Status Compare(const Arguments& arguments, const BuiltInConfig& built_in,
                     const std::vector<std::string>& command_line) {
  ASSIGN_OR_RETURN(const Prepared prepared, Prepare(arguments, built_in));
  RETURN_IF_ERROR(CheckData(prepared.jobs));
  const Experiment& first = prepared.jobs[0].config;
  const std::string root =
      FLAGS_run_dir.empty()
          ? RunDirectory::DefaultPath(UserPath("runs"), first.name(), PrintText(prepared.config))
          : UserPath(FLAGS_run_dir);
  std::vector<Compared> rows;
  for (const Job& job : prepared.jobs) {
    const Plan& plan = *job.plan;
    ASSIGN_OR_RETURN(const ClusterSpec cluster, ClusterFor(plan, command_line));
    Compared row;
    row.arm = job.name.empty() ? first.name() : job.name;
    row.topology = plan.topology == nullptr ? "none" : plan.config.topology().name();
    row.algorithm = plan.config.algorithm().name();
    // Before the run, whose times have no say in it.
    std::vector<std::string> notes;
    ASSIGN_OR_RETURN(row.predicted, Predict(plan, cluster, &notes));
    for (const std::string& note : notes) {
      if (IsLead()) std::fprintf(stderr, "note: %s\n", note.c_str());
    }
    const std::string path = job.name.empty() ? root : absl::StrCat(root, "/", job.name);
    ASSIGN_OR_RETURN(const RunResult result,
                     Train(job, path, PredictionJson(cluster.name(), row.predicted), command_line));
    if (!IsLead()) continue;
    if (result.time.step_ms.size() < 2) {
      return absl::InternalError(absl::StrCat(path, ": it has trained no steps to measure"));
    }
    row.measured_ms = MeanAfterWarmUp(result.time.step_ms);
    row.measured_p99_ms = result.time.step_ms_p99;
    rows.push_back(std::move(row));
  }
  if (!IsLead()) return absl::OkStatus();
  if (FLAGS_json) {
    PrintJson(rows);
  } else {
    PrintText(rows);
    std::printf("runs: %s\n", root.c_str());
  }
  return absl::OkStatus();
}

// What a measurement of steps has no use for is left out of the runs.
Arguments Bounded(Arguments arguments) {
  for (const char* set : {"train.eval_every_steps=0", "train.consensus_every_steps=0"}) {
    arguments.set.push_back(set);
  }
  arguments.set.push_back(absl::StrCat("train.max_steps=", FLAGS_steps));
  return arguments;
}

}  // namespace

const Verb& CompareVerb() {
  static const Verb* verb = new Verb{
      "compare",
      "compare --config=FILE [--cluster=NAME_OR_FILE] [flags]",
      "predicted beside measured step times, per arm",
      {"config", "set", "cluster", "steps", "run_dir", "json", "cores", "np", "hosts", "cpu"}};
  return *verb;
}

int CompareCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                   const std::vector<std::string>& command_line) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(absl::StrCat(
        "compare takes no \"", arguments.words[0], "\"; the config is --config=FILE")));
  }
  if (FLAGS_steps < 10) {
    return Complain(absl::InvalidArgumentError(
        absl::StrCat("--steps=", FLAGS_steps, ": fewer than 10 steps measure nothing")));
  }
  if (StartsProcesses()) {
    return RunAsProcesses(Bounded(arguments), built_in, command_line,
                          [](const Prepared&) { return std::nullopt; });
  }
  absl::Status status = Compare(Bounded(arguments), built_in, command_line);
  if (status.ok()) return 0;
  // A name that nothing has is a mistake of the user's.
  if (absl::IsNotFound(status)) status = absl::InvalidArgumentError(status.message());
  return Complain(status);
}

}  // namespace starling
