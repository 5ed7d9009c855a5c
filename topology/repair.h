// Repair: any topology, without the workers that are away.
//
// What a worker that is away, d, would have passed on goes directly to where it would have gone:
//
//   W_ij <- W_ij + W_id W_dj / (1 - W_dd)          for all i, j other than d, then d stands alone
//
// one such worker after the other. W among those who are left is then the stochastic complement of
// the whole W (Meyer, "Stochastic complementation, uncoupling Markov chains, and the theory of
// nearly reducible systems", SIAM Review 31, 1989, section 2), which keeps
//
//   * sums: rows that sum to one still do, and so do columns. Where only one of both does, 1 - W_dd
//     is written as the rest of that one, sum_{i != d} W_id or sum_{j != d} W_dj; nothing is ever
//     subtracted, so sums stay exact to rounding (Grassmann, Taksar, Heyman, Operations Research
//     33, 1985) and no weight becomes negative.
//   * symmetry, and that all eigenvalues of a symmetric W are above a bound.
//   * connection: whoever reached another through d reaches it directly. A ring closes again.
//
// For block averaging it comes to this: a group that loses members averages over the others. A
// worker with k neighbours that leaves makes a clique of them, so messages per round may grow.
//
// Rounds that take turns may need d to carry what it got in one round to others in the next. Where
// nobody else does so, one more round ends the period: the lowest ranks of all parts that have lost
// each other average.
#ifndef TOPOLOGY_REPAIR_H_
#define TOPOLOGY_REPAIR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "topology/topology.h"

namespace starling {

// Returns `topology` with everyone in the world, but those who are not `alive` (by rank, at least
// one is) keep what they have and exchange nothing. Facts are those of `topology`, but for its
// period where a round was added, and exact_after (0: never, over the whole world). It does not
// refer to `topology`. FAILED_PRECONDITION for one that never repeats, which cannot be repaired.
absl::StatusOr<std::unique_ptr<Topology>> RepairTopology(const Topology& topology,
                                                         const std::vector<bool>& alive);

// The rounds among the workers that are alive, in a world of their number: the k-th of them is
// worker k. Edges to and from the others, if any, are left out.
std::vector<MixingRound> AmongLiving(absl::Span<const MixingRound> rounds,
                                     const std::vector<bool>& alive);

// What it costs in consensus, in words: by which factor the workers' disagreement shrinks per round
// at least (rho^(1/period), analysis.h), before and after, and the most messages a worker sends.
//
//   disagreement shrinks to 0.833 per round, of all to 0.805; up to 2 messages
//
// For doubly stochastic topologies of at most 256 workers, as it costs n^3 operations; otherwise
// only messages.
std::string RepairCost(const Topology& before, const Topology& repaired,
                       const std::vector<bool>& alive);

}  // namespace starling

#endif  // TOPOLOGY_REPAIR_H_
