// Rounds that several topologies are made of.
#ifndef TOPOLOGY_GRAPH_H_
#define TOPOLOGY_GRAPH_H_

#include <set>
#include <utility>
#include <vector>

#include "topology/topology.h"

namespace starling {

// The edges of a simple undirected graph: pairs (a, b) with a < b, each once.
using UndirectedEdges = std::set<std::pair<int, int>>;

// Adds the edge between two workers, in either order; a worker is no neighbour of itself, so
// a == b adds nothing.
void AddEdge(int a, int b, UndirectedEdges* edges);

// The Metropolis weights of a graph, symmetric and doubly stochastic for any graph:
//
//   W_ij = 1 / (1 + max(degree_i, degree_j)) for neighbours,   W_ii = 1 - sum of the others > 0.
//
// A worker without neighbours keeps its value. CHECK-fails on an edge outside 0..workers-1.
// Source: Xiao, Boyd, Lall, "A scheme for robust distributed sensor fusion based on average
// consensus", IPSN 2005.
MixingRound MetropolisRound(int workers, const UndirectedEdges& edges);

// Block averaging over `groups`, which hold every worker at most once; who is in none keeps its
// value. Groups come in the order of their first workers.
MixingRound GroupsOrAlone(int workers, std::vector<std::vector<int>> groups);

}  // namespace starling

#endif  // TOPOLOGY_GRAPH_H_
