// Edge lists: text files with an undirected graph over workers.
//
//   # a square with one diagonal
//   0 1
//   1 2
//   2 3    # a comment may stand behind an edge
//   3 0
//   0 2
//
// Two worker numbers per line, separated by spaces or tabs; '#' starts a comment; empty lines and
// Windows line ends are fine. An edge may stand several times and in both directions (as many
// tools write it): it counts once.
#ifndef TOPOLOGY_FROM_FILE_EDGE_LIST_H_
#define TOPOLOGY_FROM_FILE_EDGE_LIST_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "topology/graph.h"

namespace starling {

// The edges of the edge list `text` over the workers 0..workers-1. INVALID_ARGUMENT names
// `file`:line, what stands there and what would be right: something else than two numbers, a
// worker outside the world, an edge from a worker to itself, no edge at all.
absl::StatusOr<UndirectedEdges> ParseEdgeList(absl::string_view text, absl::string_view file,
                                              int workers);

}  // namespace starling

#endif  // TOPOLOGY_FROM_FILE_EDGE_LIST_H_
