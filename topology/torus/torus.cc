// A two-dimensional torus: worker i sits in row i / columns, column i mod columns, and averages
// with its neighbours up, down, left and right, around the edges, in every round.
//
//   W: Metropolis weights (graph.h); 1/5 each where rows and columns are both at least 3.
//
// A dimension of length 2 has one neighbour in it instead of two, of length 1 none; so a prime
// number of workers makes a ring.
//
// Source of the weights: Xiao, Boyd, Lall, "A scheme for robust distributed sensor fusion based on
// average consensus", IPSN 2005.
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/graph.h"
#include "topology/topology.h"
#include "topology/torus/torus.pb.h"
#include "topology/world.h"

namespace starling {
namespace {

int LargestDivisorUpToSquareRoot(int n) {
  int divisor = 1;
  for (int candidate = 2; int64_t{candidate} * candidate <= n; ++candidate) {
    if (n % candidate == 0) divisor = candidate;
  }
  return divisor;
}

class Torus final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const TorusConfig& config,
                                                          const Context& context) {
    const int n = context.workers;
    int rows = config.rows();
    if (rows == 0 || n == 1) rows = LargestDivisorUpToSquareRoot(n);
    RETURN_IF_ERROR(
        CheckWorld("torus", absl::StrCat("a multiple of rows = ", rows, " workers"), n,
                   [rows](int workers) { return workers == 1 || workers % rows == 0; }));
    const int columns = n / rows;
    UndirectedEdges edges;
    for (int i = 0; i < n; ++i) {
      const int row = i / columns, column = i % columns;
      AddEdge(i, row * columns + (column + 1) % columns, &edges);
      AddEdge(i, (row + 1) % rows * columns + column, &edges);
    }
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = n <= 3 ? 1 : 0;
    return std::make_unique<Torus>(n, std::vector<MixingRound>{MetropolisRound(n, edges)}, facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, Torus, TorusConfig,
                         PluginFacts{"torus",
                                     "neighbours in a two-dimensional grid that closes on itself",
                                     "weights: Xiao, Boyd, Lall, IPSN 2005",
                                     {"grid"},
                                     "a multiple of `rows` workers, if that is set"});

}  // namespace
}  // namespace starling
