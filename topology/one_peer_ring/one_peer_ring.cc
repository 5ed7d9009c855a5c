// Pairs along a ring, in two alternating rounds (n even):
//
//   round 0: i averages with i + 1, for even i;   round 1: i averages with i - 1 mod n, for even i.
//
// Two workers are the same pair in every round (period 1). Exact after two rounds for n = 4, never
// for more.
//
// Source: the one-peer ring of Wang et al., "From promise to practice: realizing high-performance
// decentralized training", ICLR 2025.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/graph.h"
#include "topology/one_peer_ring/one_peer_ring.pb.h"
#include "topology/topology.h"
#include "topology/world.h"

namespace starling {
namespace {

class OnePeerRing final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const OnePeerRingConfig&,
                                                          const Context& context) {
    const int n = context.workers;
    RETURN_IF_ERROR(CheckWorld("one_peer_ring", "an even number of workers", n,
                               [](int workers) { return workers == 1 || workers % 2 == 0; }));
    std::vector<MixingRound> rounds;
    for (int shift = 0; shift < (n <= 2 ? 1 : 2); ++shift) {
      std::vector<std::vector<int>> pairs;
      for (int i = 0; i + 1 < n; i += 2) pairs.push_back({i, (shift == 0 ? i + 1 : i - 1 + n) % n});
      rounds.push_back(GroupsOrAlone(n, std::move(pairs)));
    }
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = n <= 2 ? 1 : n == 4 ? 2 : 0;
    return std::make_unique<OnePeerRing>(n, rounds, facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, OnePeerRing, OnePeerRingConfig,
                         PluginFacts{"one_peer_ring",
                                     "pairs along a ring average, left and right in turn",
                                     "Wang et al., ICLR 2025",
                                     {},
                                     "an even number of workers"});

}  // namespace
}  // namespace starling
