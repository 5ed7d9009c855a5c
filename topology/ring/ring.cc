// A ring: every worker averages with its two neighbours, in every round:
//
//   W_ii = W_i,i-1 = W_i,i+1 = 1/3 (mod n), n >= 3;   rho = 1/3 + 2/3 cos(2 pi / n) for n >= 4.
//
// Two workers have one neighbour each and average with it (1/2, 1/2); one keeps its value.
//
// Source: the ring of Lian et al., "Can decentralized algorithms outperform centralized
// algorithms?", NeurIPS 2017.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "topology/graph.h"
#include "topology/ring/ring.pb.h"
#include "topology/topology.h"

namespace starling {
namespace {

class Ring final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const RingConfig&,
                                                          const Context& context) {
    const int n = context.workers;
    UndirectedEdges edges;
    for (int i = 0; i < n; ++i) AddEdge(i, (i + 1) % n, &edges);
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = n <= 3 ? 1 : 0;
    // All degrees are equal, so the Metropolis weights are the ring's.
    return std::make_unique<Ring>(n, std::vector<MixingRound>{MetropolisRound(n, edges)}, facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, Ring, RingConfig,
                         PluginFacts{"ring",
                                     "two neighbours and oneself, 1/3 each, in every round",
                                     "Lian et al., NeurIPS 2017",
                                     {"cycle"},
                                     ""});

}  // namespace
}  // namespace starling
