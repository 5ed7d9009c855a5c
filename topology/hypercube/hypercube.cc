// The static hypercube, n = 2^k: every worker averages with the k workers whose number differs in
// one bit, in every round.
//
//   W_ii = W_i,(i XOR 2^j) = 1/(k+1), j = 0..k-1;   rho = (k-1)/(k+1).
//
// `one_peer_exp` uses the same edges one dimension per round, sends k times less and is exact.
//
// Eigenvalues (k + 1 - 2 m)/(k + 1), m = 0..k, from those of the cube's Laplacian: Chung, "Spectral
// graph theory", 1997, example 1.6.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/graph.h"
#include "topology/hypercube/hypercube.pb.h"
#include "topology/topology.h"
#include "topology/world.h"

namespace starling {
namespace {

class Hypercube final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const HypercubeConfig&,
                                                          const Context& context) {
    const int n = context.workers;
    RETURN_IF_ERROR(CheckWorld("hypercube", "a power of two workers", n, IsPowerOfTwo));
    UndirectedEdges edges;
    for (int distance = 1; distance < n; distance *= 2) {
      for (int i = 0; i < n; ++i) AddEdge(i, i ^ distance, &edges);
    }
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = n <= 2 ? 1 : 0;
    // All degrees are k, so the Metropolis weights are 1/(k+1).
    return std::make_unique<Hypercube>(n, std::vector<MixingRound>{MetropolisRound(n, edges)},
                                       facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, Hypercube, HypercubeConfig,
                         PluginFacts{"hypercube",
                                     "all workers whose number differs in one bit, equal weights",
                                     "Chung, Spectral graph theory, 1997",
                                     {},
                                     "a power of two workers"});

}  // namespace
}  // namespace starling
