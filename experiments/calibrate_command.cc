#include "experiments/calibrate_command.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cluster/cluster.h"
#include "core/config/text.h"
#include "core/run/file_io.h"
#include "core/run/host.h"
#include "core/run/run_directory.h"
#include "core/status.h"
#include "experiments/launch.h"
#include "experiments/model_measurement.h"
#include "experiments/network_measurement.h"
#include "experiments/run.h"
#include "gflags/gflags.h"

DECLARE_string(config);
DECLARE_string(out);
DECLARE_int32(cores);

namespace starling {
namespace {

// Without a config: a world whose model is not of interest.
BuiltInConfig NetworkAlone(int workers) {
  return {"calibrate.textproto",
          absl::StrCat("name: \"cluster\" workers: ", workers,
                       " algorithm { name: \"allreduce\" } model { name: \"paced\" }"
                       " dataset { name: \"no_data\" }"
                       " train { local_batch_size: 1 max_steps: 1 }")};
}

int Cores() {
  return FLAGS_cores > 0 ? FLAGS_cores
                         : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// How and where the figures came about; no host's name.
std::string Source(const Plan& plan, const std::vector<std::string>& command_line) {
  const Experiment& config = plan.config;
  const HostFacts host = ThisHost();
  return absl::StrCat(
      "starling ", absl::StrJoin(command_line.begin() + 1, command_line.end(), " "), "; backend ",
      config.backend().name(), ", ", config.workers(), " workers, ", config.workers_per_node(),
      " per machine; ", host.cpu.model, ", ", host.cores, " cores, ", host.os, "; ",
      absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()));
}

absl::Status Write(const ClusterSpec& cluster) {
  const std::string path = UserPath(FLAGS_out);
  RETURN_IF_ERROR(WriteFileAtomically(path, PrintText(cluster), Until::kVisible));
  RETURN_IF_ERROR(LoadCluster(path).status());  // what others will make of it
  std::printf("cluster: %s\n", FLAGS_out.c_str());
  return absl::OkStatus();
}

absl::Status Calibrate(const Plan& plan, bool with_model,
                       const std::vector<std::string>& command_line) {
  ASSIGN_OR_RETURN(const auto backend, MakeBackend(plan, Cores()));
  ClusterSpec cluster;  // of this process's first worker
  RETURN_IF_ERROR(backend->Run([&](Communicator* comm) -> absl::Status {
    const Say say = [comm](const std::string& line) {
      if (comm->rank() == 0) std::fprintf(stderr, "%s\n", line.c_str());
    };
    int64_t number = 0;
    ASSIGN_OR_RETURN(ClusterSpec measured, MeasureNetwork(comm, &number, say));
    if (with_model) RETURN_IF_ERROR(MeasureModel(plan, comm, &number, say, &measured));
    if (comm->rank() == 0) cluster = std::move(measured);
    return absl::OkStatus();
  }));
  if (!IsLead()) return absl::OkStatus();
  cluster.set_name(plan.config.name());
  cluster.set_source(Source(plan, command_line));
  for (ModelProfile& model : *cluster.mutable_model()) model.set_source(cluster.source());
  return Write(cluster);
}

}  // namespace

const Verb& CalibrateVerb() {
  static const Verb* verb = new Verb{"calibrate",
                                     "calibrate --out=FILE [--config=FILE] [flags]",
                                     "measure this cluster, and the config's model on it",
                                     {"out", "config", "set", "cores", "np", "hosts", "cpu"}};
  return *verb;
}

int CalibrateCommand(const Arguments& arguments, const BuiltInConfig& built_in,
                     const std::vector<std::string>& command_line) {
  if (!arguments.words.empty()) {
    return Complain(absl::InvalidArgumentError(absl::StrCat(
        "calibrate takes no \"", arguments.words[0], "\"; the config is --config=FILE")));
  }
  if (FLAGS_out.empty()) {
    return Complain(absl::InvalidArgumentError(
        "--out=FILE is missing: where calibrate writes the cluster, a text proto"));
  }
  const bool has_config = !FLAGS_config.empty() || !built_in.text.empty();
  const int launched = Launch().ok() ? Launch()->size : 1;
  const BuiltInConfig& config = has_config ? built_in : NetworkAlone(std::max(launched, 2));
  if (StartsProcesses()) {
    return RunAsProcesses(arguments, config, command_line,
                          [](const Prepared&) { return std::nullopt; });
  }
  const auto prepared = Prepare(arguments, config);
  if (!prepared.ok()) return Complain(prepared.status());
  if (has_config) {
    const absl::Status readable = CheckData(prepared->jobs);
    if (!readable.ok()) return Complain(readable);
  }
  const absl::Status status = Calibrate(*prepared->jobs[0].plan, has_config, command_line);
  return status.ok() ? 0 : Complain(status);
}

}  // namespace starling
