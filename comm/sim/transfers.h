// What exchanges ask of a cluster's network, by the formulas of cluster/exchange_costs.h: the share
// of a card that a transfer gets is not a formula here but what SimGrid leaves it.
//
// A sum over a group of m workers with p on each of M machines, s bytes:
//   RING        2 (m-1)/m s through every card of the group, or inside the machine
//   TWO_LEVEL   2 (M-1)/M s through every card, and 2 (p-1)/p s inside each machine
// is one flow around the group's machines, so that a card sees one flow per group that crosses it,
// whatever m is; what is inside machines, and latencies, are times that follow.
#ifndef COMM_SIM_TRANSFERS_H_
#define COMM_SIM_TRANSFERS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "cluster/cluster.pb.h"
#include "comm/faults.pb.h"
#include "comm/sim/network.h"

namespace starling {

class Transfers {
 public:
  // Nothing is owned.
  Transfers(const ClusterSpec* cluster, const Faults* faults, int workers_per_node);

  // A message, or a sum over a group (sorted), that begins in `step` of some member; without
  // `done`.
  Network::Job Message(int from, int to, double bytes, int64_t step) const;
  Network::Job Sum(absl::Span<const int> group, double bytes, int64_t step) const;

 private:
  struct Shape;  // of a group

  void AddRing(const Shape& shape, double bytes, Network::Job* job) const;
  void AddTwoLevel(const Shape& shape, double bytes, Network::Job* job) const;
  void AddDirect(const Shape& shape, double bytes, Network::Job* job) const;
  int MachineOf(int worker) const { return worker / workers_per_node_; }

  const ClusterSpec* cluster_;
  const Faults* faults_;
  int workers_per_node_;
};

}  // namespace starling

#endif  // COMM_SIM_TRANSFERS_H_
