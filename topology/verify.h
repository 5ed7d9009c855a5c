// Whether a topology is what it says: checked before anything is trained with it.
#ifndef TOPOLOGY_VERIFY_H_
#define TOPOLOGY_VERIFY_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "topology/topology.h"

namespace starling {

// Looks at one period of the topology registered as `name` (of one that never repeats: at its first
// `kRoundsIfEndless` rounds, analysis.h) and returns OK if
//
//   * it is made for `workers` workers, in every round,
//   * rows and columns sum to one within 1e-12, and weights are symmetric, where its facts say so,
//   * it repeats after as many rounds as its facts say, for one period more,
//   * the union of the rounds is strongly connected: what a worker knows reaches every other.
//
// Weights are positive and no edge stands twice in any MixingRound. Otherwise INVALID_ARGUMENT with
// the first thing that does not hold, in one sentence that names the round and the workers:
//
//   topology "pairs": workers 0-3 and workers 4-7 exchange nothing in its 2 rounds, so they never
//   agree
//
// Costs two passes over the edges of a period.
absl::Status VerifyTopology(const Topology& topology, absl::string_view name, int workers);

}  // namespace starling

#endif  // TOPOLOGY_VERIFY_H_
