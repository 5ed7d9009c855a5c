// The base-(k+1) graph: exact averaging in finitely many rounds for any number of workers, with at
// most k partners per worker and round.
//
// n a product of factors up to k+1 (for k = 1: a power of two): every round averages groups, as
// one_peer_exp does with pairs. Otherwise some rounds have unequal weights; see sequence.h. All
// rounds are symmetric and doubly stochastic. The length grows like log_(k+1) n.
//
// Source: Takezawa, Sato, Bao, Niwa, Yamada, "Beyond exponential graph: communication-efficient
// topologies for decentralized learning via finite-time convergence", NeurIPS 2023.
#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "topology/base_graph/base_graph.pb.h"
#include "topology/base_graph/sequence.h"
#include "topology/graph.h"
#include "topology/topology.h"

namespace starling {
namespace {

MixingRound RoundOf(int workers, SparseRound sparse) {
  if (sparse.edges.empty()) return GroupsOrAlone(workers, std::move(sparse.groups));
  std::vector<bool> busy(workers, false);
  for (const Edge& edge : sparse.edges) busy[edge.to] = true;
  for (const std::vector<int>& group : sparse.groups) {
    const double weight = 1.0 / static_cast<double>(group.size());
    for (int to : group) {
      busy[to] = true;
      for (int from : group) sparse.edges.push_back({to, from, weight});
    }
  }
  for (int worker = 0; worker < workers; ++worker) {
    if (!busy[worker]) sparse.edges.push_back({worker, worker, 1});
  }
  return MixingRound::FromEdges(workers, std::move(sparse.edges));
}

class BaseGraph final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const BaseGraphConfig& config,
                                                          const Context& context) {
    const int n = context.workers;
    std::vector<int> workers(n);
    std::iota(workers.begin(), workers.end(), 0);
    const int k = std::min(config.k(), n);
    std::vector<MixingRound> rounds;
    for (SparseRound& round :
         config.simple() ? SimpleBaseGraph(workers, k) : BaseGraphSequence(workers, k)) {
      rounds.push_back(RoundOf(n, std::move(round)));
    }
    if (rounds.empty()) rounds.push_back(GroupsOrAlone(n, {}));  // one worker
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = static_cast<int64_t>(rounds.size());
    return std::make_unique<BaseGraph>(n, std::move(rounds), facts);
  }
};

STARLING_REGISTER_PLUGIN(
    Topology, BaseGraph, BaseGraphConfig,
    PluginFacts{"base_graph",
                "base-(k+1) graph: exact in finitely many rounds for any number of workers",
                "Takezawa et al., NeurIPS 2023",
                {"base_k"},
                ""});

}  // namespace
}  // namespace starling
