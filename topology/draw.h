// Pictures of mixing rounds for a terminal, in UTF-8. Lines have no indentation and no trailing
// blanks.
#ifndef TOPOLOGY_DRAW_H_
#define TOPOLOGY_DRAW_H_

#include <string>
#include <vector>

#include "topology/topology.h"

namespace starling {

// Groups as brackets below the workers' numbers; machines in square brackets:
//
//   [0  1][2  3][4  5][6  7]
//    ╰──╯  │  │  ╰──╯  │  │
//          ╰──┴────────┴──╯
//
// The round must be block averaging, of at most 99 workers.
std::vector<std::string> DrawGroups(const MixingRound& round, int workers_per_node);

// W as a matrix of shades, row = receiver, and a line with the weights they mean:
//
//       0  1  2  3
//    0  ██ ██ ·  ██
//    ...
//   ██ 1/3
//
// At most 99 workers.
std::vector<std::string> DrawMatrix(const MixingRound& round);

// "{0 1} {2 3}", cut into lines of at most `columns`.
std::vector<std::string> ListGroups(const MixingRound& round, int columns);

}  // namespace starling

#endif  // TOPOLOGY_DRAW_H_
