// The alternating exponential ring (AER): pairs of machines at distances 1, 2, 4, ... merge into
// one group every second round and average inside each machine in between.
//
// N machines of L workers, N a power of two, N >= 2; period 2 log2 N. Step i of log2 N pairs
// machine j with j XOR 2^i and makes two rounds; the pairs, counted on across the steps, take
// turns:
//
//               first round              second round
//   even pair   each machine averages    both machines average together
//   odd pair    both together            each machine
//
// so that in every round half of the network cards are busy and half are idle. Symmetric, doubly
// stochastic; the product of a period is exactly J.
//
// Example, N = 4, L = 2:
//   {0 1} {2 3} {4 5 6 7}; {0 1 2 3} {4 5} {6 7}; {0 1} {4 5} {2 3 6 7}; {0 1 4 5} {2 3} {6 7}
//
// Source: Wang, Zhang, Wu, Johansson, "From promise to practice: realizing high-performance
// decentralized training", ICLR 2025.
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/alternating_exp_ring/alternating_exp_ring.pb.h"
#include "topology/graph.h"
#include "topology/topology.h"
#include "topology/world.h"

namespace starling {
namespace {

using Groups = std::vector<std::vector<int>>;

std::vector<int> WorkersOf(int machine, int per_machine) {
  std::vector<int> workers(per_machine);
  std::iota(workers.begin(), workers.end(), machine * per_machine);
  return workers;
}

std::vector<MixingRound> Rounds(int machines, int per_machine) {
  std::vector<MixingRound> rounds;
  int pairs = 0;
  for (int distance = 1; distance < machines; distance *= 2) {
    Groups first, second;
    for (int j = 0; j < machines; ++j) {
      if ((j & distance) != 0) continue;
      const std::vector<int> one = WorkersOf(j, per_machine);
      const std::vector<int> other = WorkersOf(j ^ distance, per_machine);
      std::vector<int> both = one;
      both.insert(both.end(), other.begin(), other.end());
      const bool even = pairs++ % 2 == 0;
      Groups& apart = even ? first : second;
      Groups& merged = even ? second : first;
      apart.push_back(one);
      apart.push_back(other);
      merged.push_back(std::move(both));
    }
    rounds.push_back(MixingRound::FromGroups(machines * per_machine, std::move(first)));
    rounds.push_back(MixingRound::FromGroups(machines * per_machine, std::move(second)));
  }
  return rounds;
}

class AlternatingExpRing final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const AlternatingExpRingConfig&,
                                                          const Context& context) {
    const int n = context.workers, per_machine = context.workers_per_node;
    const auto legal = [per_machine](int workers) {
      return workers == 1 || (workers > per_machine && workers % per_machine == 0 &&
                              IsPowerOfTwo(workers / per_machine));
    };
    RETURN_IF_ERROR(CheckWorld(
        "alternating_exp_ring",
        absl::StrCat("2, 4, 8, ... nodes of workers_per_node = ", per_machine, " workers"), n,
        legal));
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    std::vector<MixingRound> rounds;
    if (n == 1) {
      rounds.push_back(GroupsOrAlone(1, {}));
    } else {
      rounds = Rounds(n / per_machine, per_machine);
    }
    facts.exact_after = static_cast<int64_t>(rounds.size());
    return std::make_unique<AlternatingExpRing>(n, std::move(rounds), facts);
  }
};

STARLING_REGISTER_PLUGIN(
    Topology, AlternatingExpRing, AlternatingExpRingConfig,
    PluginFacts{"alternating_exp_ring",
                "pairs of machines at distances 1, 2, 4, ... average, every second round",
                "Wang et al., ICLR 2025",
                {"aer"},
                "a power of two nodes, at least 2, of equally many workers"});

}  // namespace
}  // namespace starling
