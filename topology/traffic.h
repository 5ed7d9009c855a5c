// How many bytes mixing moves: out of each worker, and through each machine's network card.
//
// Worker r sits on machine r / workers_per_node; S are the bytes of the model. Per round:
//
//   edges    every worker sends S to each of its out-neighbours; what crosses machines passes the
//            cards.
//   groups   all-reduce inside each group of m workers: 2 (m-1)/m S out of every member. If the
//            group has equally many members on each of its M machines, it is done in two levels
//            (inside the machines, between the owners of equal parts, inside the machines), and a
//            card sends 2 (M-1)/M S, however many members sit behind it. Otherwise the members
//            exchange directly: p of m members on one machine send 2 p (m-p)/m S through its card.
//
// With n workers, L on each of N machines, per card and round, in two levels (complete, and the
// alternating exponential ring, AER) or by pairs:
//
//   complete                                   2 (N-1)/N S
//   one_peer_exp, pairs across machines        L S          mean over a period: L S log2 N / log2 n
//   AER, merged rounds                         S            mean over a period: S/2
#ifndef TOPOLOGY_TRAFFIC_H_
#define TOPOLOGY_TRAFFIC_H_

#include <vector>

#include "absl/types/span.h"
#include "topology/topology.h"

namespace starling {

// Bytes sent; what is received is the same in sum, and one by one in symmetric rounds.
struct MixingTraffic {
  std::vector<double> worker_bytes;  // by each worker, payload only
  std::vector<double> node_bytes;    // through the network card of each machine
};

// What one round sends. workers_per_node >= 1; the last machine may be filled in part.
MixingTraffic TrafficOfRound(const MixingRound& round, int workers_per_node, double model_bytes);

// The mean per round over `rounds` (at least one).
MixingTraffic MeanTraffic(absl::Span<const MixingRound> rounds, int workers_per_node,
                          double model_bytes);

}  // namespace starling

#endif  // TOPOLOGY_TRAFFIC_H_
