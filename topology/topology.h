// Topologies: who mixes with whom, in which round, with which weights.
//
// A round is a mixing matrix W, row = receiver: worker i computes x_i <- sum_j W_ij x_j. It is
// either a partition of the workers into groups that average (block averaging, W_ij = 1/|group|)
// or a sparse set of directed, weighted edges. Self weights are edges like any other.
#ifndef TOPOLOGY_TOPOLOGY_H_
#define TOPOLOGY_TOPOLOGY_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

namespace starling {

// to <- weight * from.
struct Edge {
  int to = 0;
  int from = 0;
  double weight = 0;
};

inline bool operator==(const Edge& a, const Edge& b) {
  return a.to == b.to && a.from == b.from && a.weight == b.weight;
}

// One W. A cheap, immutable value: copies share their edges.
class MixingRound {
 public:
  // Block averaging over `groups`, which must hold every worker of 0..workers-1 exactly once;
  // CHECK-fails otherwise. Groups keep their order; ranks inside a group are sorted.
  static MixingRound FromGroups(int workers, std::vector<std::vector<int>> groups);

  // Weighted edges, self edges included, each (to, from) at most once and with positive weight;
  // CHECK-fails otherwise.
  static MixingRound FromEdges(int workers, std::vector<Edge> edges);

  int workers() const;

  // What `rank` receives, its own share included, sorted by `from`.
  absl::Span<const Edge> in(int rank) const;

  // To whom `rank` gives, itself included, sorted by `to`.
  absl::Span<const Edge> out(int rank) const;

  // The members of rank's group, sorted; empty if this round is no block averaging.
  absl::Span<const int> group(int rank) const;

  // All groups; empty if this round is no block averaging.
  absl::Span<const std::vector<int>> groups() const;

 private:
  struct Data;
  explicit MixingRound(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

// Whether both are the same W, made of the same groups if of any.
bool operator==(const MixingRound& a, const MixingRound& b);
inline bool operator!=(const MixingRound& a, const MixingRound& b) { return !(a == b); }

// What a topology claims of itself; the conformance suite and VerifyTopology hold it to that.
struct TopologyFacts {
  int64_t period = 1;           // Round(t) == Round(t + period); 0: never repeats
  bool symmetric = false;       // every W is
  bool rows_sum_to_one = true;  // of every W
  bool columns_sum_to_one = false;
  int64_t exact_after = 0;  // rounds 0..exact_after-1 multiply to exactly J (all 1/n); 0: never
};

// Pure and thread-safe: the same round on every worker, whenever asked.
class Topology {
 public:
  static constexpr char kKind[] = "topology";
  struct Context {
    int workers = 1;
    int workers_per_node = 1;  // worker r sits on machine r / workers_per_node
    uint64_t seed = 0;         // for random topologies: equal on all workers
  };

  virtual ~Topology() = default;
  virtual int size() const = 0;
  virtual TopologyFacts facts() const = 0;
  virtual MixingRound Round(int64_t round) const = 0;  // round >= 0
};

// A topology that repeats `rounds`. `facts.period` is set to their number.
class PeriodicTopology : public Topology {
 public:
  PeriodicTopology(int workers, std::vector<MixingRound> rounds, TopologyFacts facts);

  int size() const final { return workers_; }
  TopologyFacts facts() const final { return facts_; }
  MixingRound Round(int64_t round) const final;

 private:
  int workers_;
  std::vector<MixingRound> rounds_;
  TopologyFacts facts_;
};

}  // namespace starling

#endif  // TOPOLOGY_TOPOLOGY_H_
