// The suite that every topology must pass. In the plug-in's test:
//
//   INSTANTIATE_TEST_SUITE_P(
//       Ring, TopologyConformance,
//       testing::Values(TopologyCase{"ring", R"(name: "ring")", AnyWorld}));
//
// It makes the topology for 1 to 33 workers, on machines of 1, 2, 3, 4 and 8, and holds it to its
// own facts on both sides: what it claims must be true, and what it does not claim must be false.
// Illegal worlds must be refused in the words of CheckWorld (world.h).
#ifndef TOPOLOGY_CONFORMANCE_H_
#define TOPOLOGY_CONFORMANCE_H_

#include <functional>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "topology/topology.h"

namespace starling {

struct TopologyCase {
  std::string label;  // for the test's output
  std::string ref;    // a PluginRef in text format, its config in the long form
  std::function<bool(int workers, int workers_per_node)> legal;
};

inline void PrintTo(const TopologyCase& topology_case, std::ostream* out) {
  *out << topology_case.label;
}

// For `legal`: every world.
inline bool AnyWorld(int, int) { return true; }

class TopologyConformance : public testing::TestWithParam<TopologyCase> {};

}  // namespace starling

#endif  // TOPOLOGY_CONFORMANCE_H_
