// All workers average, in every round:
//
//   W = J, all entries 1/n: one group of everybody.
//
// Gossip over it keeps all workers equal. Not the same as averaging gradients: parameters travel.
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/registry.h"
#include "topology/complete/complete.pb.h"
#include "topology/topology.h"

namespace starling {
namespace {

class Complete final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const CompleteConfig&,
                                                          const Context& context) {
    std::vector<int> everybody(context.workers);
    std::iota(everybody.begin(), everybody.end(), 0);
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = 1;
    return std::make_unique<Complete>(
        context.workers,
        std::vector<MixingRound>{MixingRound::FromGroups(context.workers, {std::move(everybody)})},
        facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, Complete, CompleteConfig,
                         PluginFacts{"complete",
                                     "all workers average with equal weights, in every round",
                                     "",
                                     {"fully_connected"},
                                     ""});

}  // namespace
}  // namespace starling
