#include "experiments/calibration.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/run/host.h"
#include "core/status.h"
#include "experiments/model_measurement.h"
#include "experiments/network_measurement.h"
#include "experiments/run.h"

namespace starling {
namespace {

// How and where the figures came about; no host's name.
std::string SourceOf(const Plan& plan, const std::vector<std::string>& command_line) {
  const Experiment& config = plan.config;
  const HostFacts host = ThisHost();
  return absl::StrCat("starling ", absl::StrJoin(command_line.begin() + 1, command_line.end(), " "),
                      "; backend ", config.backend().name(), ", ", config.workers(), " workers, ",
                      config.workers_per_node(), " per machine; ", host.cpu.model, ", ", host.cores,
                      " cores, ", host.os, "; ",
                      absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()));
}

}  // namespace

absl::StatusOr<ClusterSpec> Calibrate(const Plan& plan, CalibrationParts parts, int cores,
                                      const std::vector<std::string>& command_line) {
  ASSIGN_OR_RETURN(const auto backend, MakeBackend(plan, cores));
  ClusterSpec cluster;
  RETURN_IF_ERROR(backend->Run([&](Communicator* comm) -> absl::Status {
    const Say say = [comm](const std::string& line) {
      if (comm->rank() == 0) std::fprintf(stderr, "%s\n", line.c_str());
    };
    int64_t number = 0;
    ClusterSpec measured;
    if (parts.network) {
      say("network: latency and rate of messages in both directions at once");
      ASSIGN_OR_RETURN(measured, MeasureNetwork(comm, &number, say));
    }
    if (parts.model) {
      say("model: passes of all workers at the same time, without communication");
      RETURN_IF_ERROR(MeasureModel(plan, comm, &number, say, &measured));
    }
    if (comm->rank() == 0) cluster = std::move(measured);
    return absl::OkStatus();
  }));
  cluster.set_name(plan.config.name());
  cluster.set_source(SourceOf(plan, command_line));
  for (ModelProfile& model : *cluster.mutable_model()) model.set_source(cluster.source());
  return cluster;
}

}  // namespace starling
