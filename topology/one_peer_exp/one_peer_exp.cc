// The one-peer exponential graph: one partner per round, at distances 1, 2, 4, ...
//
// Paired (default), n = 2^k: in round j of k, worker i averages with i XOR 2^j, weights 1/2. The
// product of the k rounds is exactly J.
//
// Directed, any n: in round j of ceil(log2 n),
//
//   W_ii = W_i,(i + 2^j mod n) = 1/2:
//
// doubly stochastic, not symmetric; exact after log2 n rounds if n is a power of two, else never.
//
// Source: directed: Assran, Loizou, Ballas, Rabbat, "Stochastic gradient push for distributed deep
// learning", ICML 2019; exactness: Ying et al., "Exponential graph is provably efficient for
// decentralized deep training", NeurIPS 2021, section 4; paired: Wang et al., "From promise to
// practice: realizing high-performance decentralized training", ICLR 2025.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/graph.h"
#include "topology/one_peer_exp/one_peer_exp.pb.h"
#include "topology/topology.h"
#include "topology/world.h"

namespace starling {
namespace {

MixingRound PairedRound(int n, int distance) {
  std::vector<std::vector<int>> pairs;
  for (int i = 0; i < n; ++i) {
    if ((i & distance) == 0) pairs.push_back({i, i ^ distance});
  }
  return GroupsOrAlone(n, std::move(pairs));
}

MixingRound DirectedRound(int n, int distance) {
  std::vector<Edge> edges;
  for (int i = 0; i < n; ++i) {
    edges.push_back({i, i, 0.5});
    edges.push_back({i, (i + distance) % n, 0.5});
  }
  return MixingRound::FromEdges(n, std::move(edges));
}

class OnePeerExp final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const OnePeerExpConfig& config,
                                                          const Context& context) {
    const int n = context.workers;
    if (!config.directed()) {
      RETURN_IF_ERROR(CheckWorld("one_peer_exp", "a power of two workers", n, IsPowerOfTwo,
                                 "config { directed: true } serves any number"));
    }
    std::vector<MixingRound> rounds;
    for (int distance = 1; distance < n; distance *= 2) {
      rounds.push_back(config.directed() ? DirectedRound(n, distance) : PairedRound(n, distance));
    }
    if (rounds.empty()) rounds.push_back(GroupsOrAlone(n, {}));  // one worker
    TopologyFacts facts;
    facts.symmetric = !config.directed() || n <= 2;
    facts.columns_sum_to_one = true;
    facts.exact_after = IsPowerOfTwo(n) ? static_cast<int64_t>(rounds.size()) : 0;
    return std::make_unique<OnePeerExp>(n, std::move(rounds), facts);
  }
};

STARLING_REGISTER_PLUGIN(
    Topology, OnePeerExp, OnePeerExpConfig,
    PluginFacts{"one_peer_exp",
                "pairs at distances 1, 2, 4, ... in turn; or directed, one sender at a time",
                "Assran et al., ICML 2019; Ying et al., NeurIPS 2021; Wang et al., ICLR 2025",
                {"one_peer_exponential"},
                "a power of two workers, unless directed"});

}  // namespace
}  // namespace starling
