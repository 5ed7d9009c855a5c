// For tests: topologies from one line of text.
#ifndef TOPOLOGY_MAKE_TOPOLOGY_H_
#define TOPOLOGY_MAKE_TOPOLOGY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "topology/topology.h"

namespace starling {

// Makes the topology that `ref` names, a PluginRef in text format with its config in the long
// form. Its plug-in must be linked. Errors are those of Registry::Create.
//
//   MakeTopology(R"(name: "torus"
//                   config { [type.googleapis.com/starling.TorusConfig] { rows: 2 } })", 8)
absl::StatusOr<std::unique_ptr<Topology>> MakeTopology(const std::string& ref, int workers,
                                                       int workers_per_node = 1);

}  // namespace starling

#endif  // TOPOLOGY_MAKE_TOPOLOGY_H_
