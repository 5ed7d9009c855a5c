// What one exchange costs on a cluster: time = latency_ms + ms_per_mb * size.
//
// s bytes, a group of m workers on M machines with p members each, q groups that share a machine's
// card in this round, rates r. A rate of g Gbit/s takes 8 / g ms per MB.
//
//   RING, inside a machine   collective + 2 (m-1) hops + 2 (m-1)/m s / node
//   RING, across machines    the same with the rate min(pair, nic / q) of its slowest link
//   TWO_LEVEL                collective + 2 hops inside + 2 hops across
//                              + 2 (p-1)/p s / node + 2 (M-1)/M s / min(p (M-1) pair, nic / q)
//   TWO_LEVEL, unequal p     all send to all directly, in two rounds: as much as a machine's card,
//                            a pair or a member needs at most
//   edges                    collective + 1 hop + s / rate, all messages of a worker at once: those
//                            inside the machine share node, each other one gets
//                            min(pair, nic / messages through the busier of the two cards)
//
// pair is LinkBetween (cluster.h), whose latency is added to each hop across machines. Half duplex:
// what a card receives counts too, so q is doubled.
// Source: the usual cost model of collectives in latency and bandwidth (Thakur, Rabenseifner,
// Gropp, "Optimization of collective communication operations in MPICH", 2005);
// comm/two_level_all_reduce.
#ifndef CLUSTER_EXCHANGE_COSTS_H_
#define CLUSTER_EXCHANGE_COSTS_H_

#include <vector>

#include "cluster/cluster.h"
#include "topology/topology.h"

namespace starling {

struct ExchangeCost {
  double latency_ms = 0;
  double ms_per_mb = 0;

  double Ms(double mb) const { return latency_ms + ms_per_mb * mb; }
};

// Who waits for whom in one round, and how long the exchange then takes. With `groups`, entry e is
// a group whose members all start together and end together; otherwise entry e is worker e and its
// members are those it receives from, itself included.
struct RoundCosts {
  bool groups = false;
  std::vector<int> begin;  // entry e: members[begin[e]] .. members[begin[e + 1] - 1]
  std::vector<int> members;
  std::vector<ExchangeCost> cost;  // by entry
};

class ExchangeCosts {
 public:
  // `cluster` is complete and outlives this.
  ExchangeCosts(const ClusterSpec& cluster, int workers);

  RoundCosts OfRound(const MixingRound& round, bool groups_as_edges) const;

  // One group of all.
  RoundCosts OfEveryone() const;

 private:
  struct Part {  // of a group on one machine
    int node;
    int members;
  };
  std::vector<Part> PartsOf(const std::vector<int>& group) const;
  RoundCosts OfGroups(const std::vector<std::vector<int>>& groups) const;
  RoundCosts OfEdges(const MixingRound& round) const;
  ExchangeCost RingCost(const std::vector<Part>& parts, int m, int sharing) const;
  ExchangeCost TwoLevelCost(const std::vector<Part>& parts, int m, int sharing) const;
  ExchangeCost DirectCost(const std::vector<Part>& parts, int m, int sharing) const;

  // The slowest rate and the longest latency between any two machines of `parts`.
  Link WorstLink(const std::vector<Part>& parts) const;
  const Link& LinkOf(int node_a, int node_b) const;
  double CardGbps(int sharing) const;  // for one of so many
  int NodeOf(int worker) const { return worker / cluster_.workers_per_node(); }

  const ClusterSpec& cluster_;
  int workers_;
  int nodes_;
  std::vector<int> site_;                // by machine
  std::vector<std::vector<Link>> link_;  // by two sites
};

}  // namespace starling

#endif  // CLUSTER_EXCHANGE_COSTS_H_
