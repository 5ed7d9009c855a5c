#include "topology/traffic.h"

#include <algorithm>
#include <map>

#include "glog/logging.h"

namespace starling {
namespace {

void AddGroup(const std::vector<int>& group, int workers_per_node, double model_bytes,
              MixingTraffic* traffic) {
  const double m = static_cast<double>(group.size());
  std::map<int, int> members;  // by machine
  for (int rank : group) {
    ++members[rank / workers_per_node];
    traffic->worker_bytes[rank] += 2 * (m - 1) / m * model_bytes;
  }
  const bool equal = std::all_of(members.begin(), members.end(), [&](const auto& machine) {
    return machine.second == members.begin()->second;
  });
  const double machines = static_cast<double>(members.size());
  for (const auto& [node, p] : members) {
    traffic->node_bytes[node] +=
        (equal ? 2 * (machines - 1) / machines : 2 * p * (m - p) / m) * model_bytes;
  }
}

void AddEdges(const MixingRound& round, int workers_per_node, double model_bytes,
              MixingTraffic* traffic) {
  for (int rank = 0; rank < round.workers(); ++rank) {
    for (const Edge& edge : round.out(rank)) {
      if (edge.to == rank) continue;
      traffic->worker_bytes[rank] += model_bytes;
      const int node = rank / workers_per_node;
      if (edge.to / workers_per_node != node) traffic->node_bytes[node] += model_bytes;
    }
  }
}

}  // namespace

MixingTraffic TrafficOfRound(const MixingRound& round, int workers_per_node, double model_bytes) {
  CHECK_GE(workers_per_node, 1);
  const int nodes = (round.workers() + workers_per_node - 1) / workers_per_node;
  MixingTraffic traffic;
  traffic.worker_bytes.assign(round.workers(), 0.0);
  traffic.node_bytes.assign(nodes, 0.0);
  if (round.groups().empty()) {
    AddEdges(round, workers_per_node, model_bytes, &traffic);
  } else {
    for (const std::vector<int>& group : round.groups()) {
      AddGroup(group, workers_per_node, model_bytes, &traffic);
    }
  }
  return traffic;
}

MixingTraffic MeanTraffic(absl::Span<const MixingRound> rounds, int workers_per_node,
                          double model_bytes) {
  CHECK(!rounds.empty());
  MixingTraffic mean = TrafficOfRound(rounds[0], workers_per_node, model_bytes);
  for (const MixingRound& round : rounds.subspan(1)) {
    const MixingTraffic traffic = TrafficOfRound(round, workers_per_node, model_bytes);
    for (size_t i = 0; i < mean.worker_bytes.size(); ++i) {
      mean.worker_bytes[i] += traffic.worker_bytes[i];
    }
    for (size_t i = 0; i < mean.node_bytes.size(); ++i) {
      mean.node_bytes[i] += traffic.node_bytes[i];
    }
  }
  for (double& bytes : mean.worker_bytes) bytes /= static_cast<double>(rounds.size());
  for (double& bytes : mean.node_bytes) bytes /= static_cast<double>(rounds.size());
  return mean;
}

}  // namespace starling
