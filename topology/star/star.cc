// A star: worker 0 averages with everybody, the others with worker 0 only, in every round.
//
//   Metropolis weights (graph.h): W_0j = W_j0 = W_00 = 1/n, W_jj = 1 - 1/n;   rho = 1 - 1/n for
//   n >= 3.
//
// Worker 0 sends n - 1 models per round; the topology is here to compare with.
//
// Source of the weights: Xiao, Boyd, Lall, "A scheme for robust distributed sensor fusion based on
// average consensus", IPSN 2005.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "topology/graph.h"
#include "topology/star/star.pb.h"
#include "topology/topology.h"

namespace starling {
namespace {

class Star final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const StarConfig&,
                                                          const Context& context) {
    const int n = context.workers;
    UndirectedEdges edges;
    for (int leaf = 1; leaf < n; ++leaf) AddEdge(0, leaf, &edges);
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = n <= 2 ? 1 : 0;
    return std::make_unique<Star>(n, std::vector<MixingRound>{MetropolisRound(n, edges)}, facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, Star, StarConfig,
                         PluginFacts{"star",
                                     "worker 0 with everybody, the others with worker 0 only",
                                     "weights: Xiao, Boyd, Lall, IPSN 2005",
                                     {},
                                     ""});

}  // namespace
}  // namespace starling
