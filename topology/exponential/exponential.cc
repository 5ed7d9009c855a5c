// The static exponential graph: every worker receives from the workers 1, 2, 4, ... places ahead,
// in every round:
//
//   W_ii = W_i,(i + 2^j mod n) = 1 / (ceil(log2 n) + 1)   for 2^j <= n - 1.
//
// Directed and doubly stochastic. For n = 2^k: rho = (k - 1) / (k + 1).
//
// Source: Ying, Yuan, Chen, Hu, Pan, Yin, "Exponential graph is provably efficient for
// decentralized deep training", NeurIPS 2021, section 3.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "topology/exponential/exponential.pb.h"
#include "topology/topology.h"
#include "topology/world.h"

namespace starling {
namespace {

class Exponential final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const ExponentialConfig&,
                                                          const Context& context) {
    const int n = context.workers;
    const double weight = 1.0 / (CeilLog2(n) + 1);
    std::vector<Edge> edges;
    for (int i = 0; i < n; ++i) {
      edges.push_back({i, i, weight});
      for (int distance = 1; distance < n; distance *= 2) {
        edges.push_back({i, (i + distance) % n, weight});
      }
    }
    TopologyFacts facts;
    // Up to three workers it is the complete graph; beyond, 1 or 2 places back is no power of two.
    facts.symmetric = n <= 3;
    facts.columns_sum_to_one = true;
    facts.exact_after = n <= 3 ? 1 : 0;
    return std::make_unique<Exponential>(
        n, std::vector<MixingRound>{MixingRound::FromEdges(n, std::move(edges))}, facts);
  }
};

STARLING_REGISTER_PLUGIN(
    Topology, Exponential, ExponentialConfig,
    PluginFacts{"exponential",
                "static and directed: the workers 1, 2, 4, ... places ahead, equal weights",
                "Ying et al., NeurIPS 2021",
                {"exp2", "static_exponential"},
                ""});

}  // namespace
}  // namespace starling
