// The sequences of rounds behind `base_graph`: finite-time exact averaging for any number of
// workers, with at most k partners per worker and round.
//
// Source: Takezawa, Sato, Bao, Niwa, Yamada, "Beyond exponential graph: communication-efficient
// topologies for decentralized learning via finite-time convergence", NeurIPS 2023, section 4.
#ifndef TOPOLOGY_BASE_GRAPH_SEQUENCE_H_
#define TOPOLOGY_BASE_GRAPH_SEQUENCE_H_

#include <vector>

#include "topology/topology.h"

namespace starling {

// One round before it has a world: groups that average, and edges of workers that do not. Workers
// in neither keep their value. Edges come with the own weights of their ends.
struct SparseRound {
  std::vector<std::vector<int>> groups;
  std::vector<Edge> edges;
};

using Sequence = std::vector<SparseRound>;

// Whether all prime factors of n are at most k + 1; n >= 1.
bool IsSmooth(int n, int k);

// Averages `nodes` exactly; their number n must be smooth. n is written as a product of factors
// f_1 <= f_2 <= ... <= k + 1; the nodes are numbered with these radices, and round q averages the
// nodes that differ in digit q only. Length: the number of factors; 0 for one node.
Sequence HyperHypercube(const std::vector<int>& nodes, int k);

// Averages `nodes` exactly, any number of them. Smooth: HyperHypercube. Otherwise the nodes are
// cut by the digits of n in base k + 1 into blocks V_1, V_2, ... of falling size; every block
// averages inside; then V_1, V_2, ... in turn give every later block its share of their mean,
// and average once more inside.
Sequence SimpleBaseGraph(const std::vector<int>& nodes, int k);

// As SimpleBaseGraph, or shorter: with n_a the largest smooth divisor of n, n_a copies of the
// simple graph for n / n_a side by side, then a hyper-hypercube over the copies. The simple graph
// if that alone is strictly shorter.
Sequence BaseGraphSequence(const std::vector<int>& nodes, int k);

}  // namespace starling

#endif  // TOPOLOGY_BASE_GRAPH_SEQUENCE_H_
