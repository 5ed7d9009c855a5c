// Topologies in words and pictures: what `starling describe topology` prints.
#ifndef TOPOLOGY_DESCRIBE_H_
#define TOPOLOGY_DESCRIBE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/plugin_table.h"
#include "topology/topology.h"

namespace starling {

// A page for people, UTF-8, lines of at most 80 columns: name, workers, period, where from;
// exactness, rho (second singular value of the period's product), spectral gap, symmetry,
// connectivity; traffic in models (S) and, for model_bytes > 0, in bytes; the rounds. Rounds are
// drawn for at most 16 workers and the first 8 of them; a line says what is left out.
//
// `facts` are those under which the topology is registered, with its name.
std::string DescribeText(const Topology& topology, const PluginFacts& facts, int workers_per_node,
                         double model_bytes);

// The same numbers for programs, one line:
//
//   {"name":..,"workers":N,"period":P,"rounds":[[{"to":i,"from":j,"weight":w},..],..],
//    "rho_period":..,"exact":bool,"symmetric":bool,"doubly_stochastic":bool}
//
// Own weights are edges with to == from; edges are sorted by receiver, then sender. All but the
// name is computed from the rounds, not taken from what the topology says of itself. Of a topology
// that never repeats, period is 0 and the first `kRoundsIfEndless` rounds are given.
std::string DescribeJson(const Topology& topology, absl::string_view name);

}  // namespace starling

#endif  // TOPOLOGY_DESCRIBE_H_
