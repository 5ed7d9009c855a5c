#include "topology/graph.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "glog/logging.h"

namespace starling {

void AddEdge(int a, int b, UndirectedEdges* edges) {
  if (a != b) edges->emplace(std::min(a, b), std::max(a, b));
}

MixingRound MetropolisRound(int workers, const UndirectedEdges& edges) {
  std::vector<int> degree(workers, 0);
  for (const auto& [a, b] : edges) {
    CHECK(0 <= a && a < b && b < workers) << "edge " << a << " - " << b;
    ++degree[a];
    ++degree[b];
  }
  std::vector<double> own(workers, 1.0);
  std::vector<Edge> weighted;
  for (const auto& [a, b] : edges) {
    const double weight = 1.0 / (1 + std::max(degree[a], degree[b]));
    weighted.push_back({a, b, weight});
    weighted.push_back({b, a, weight});
    own[a] -= weight;
    own[b] -= weight;
  }
  for (int worker = 0; worker < workers; ++worker) {
    weighted.push_back({worker, worker, own[worker]});
  }
  return MixingRound::FromEdges(workers, std::move(weighted));
}

MixingRound GroupsOrAlone(int workers, std::vector<std::vector<int>> groups) {
  std::vector<bool> grouped(workers, false);
  for (const std::vector<int>& group : groups) {
    for (int worker : group) grouped.at(worker) = true;
  }
  for (int worker = 0; worker < workers; ++worker) {
    if (!grouped[worker]) groups.push_back({worker});
  }
  for (std::vector<int>& group : groups) std::sort(group.begin(), group.end());
  std::sort(groups.begin(), groups.end());
  return MixingRound::FromGroups(workers, std::move(groups));
}

}  // namespace starling
