// Any undirected graph, read from an edge list (edge_list.h), with Metropolis weights (graph.h) in
// every round: symmetric and doubly stochastic whatever the graph is.
//
// A graph that is not connected is served too, and `starling describe topology` says so: its parts
// never agree. One worker has no edges: the file is then not read.
//
// Source of the weights: Xiao, Boyd, Lall, "A scheme for robust distributed sensor fusion based on
// average consensus", IPSN 2005.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/registry.h"
#include "core/status.h"
#include "topology/from_file/edge_list.h"
#include "topology/from_file/from_file.pb.h"
#include "topology/graph.h"
#include "topology/topology.h"

namespace starling {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(
        absl::StrCat("topology \"from_file\": ", path, " is a directory, not an edge list"));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || file.bad()) {
    return absl::ErrnoToStatus(errno == 0 ? EIO : errno,
                               absl::StrCat("topology \"from_file\" cannot read ",
                                            std::filesystem::absolute(path, ignored).string()));
  }
  return text.str();
}

class FromFile final : public PeriodicTopology {
 public:
  using PeriodicTopology::PeriodicTopology;

  static absl::StatusOr<std::unique_ptr<Topology>> Create(const FromFileConfig& config,
                                                          const Context& context) {
    const int n = context.workers;
    UndirectedEdges edges;
    if (n > 1) {
      if (config.path().empty()) {
        return absl::InvalidArgumentError(
            "topology \"from_file\" needs the path of an edge list: config { path: \"FILE\" }");
      }
      ASSIGN_OR_RETURN(const std::string text, ReadFile(config.path()));
      ASSIGN_OR_RETURN(edges, ParseEdgeList(text, config.path(), n));
    }
    const bool complete = edges.size() == static_cast<size_t>(n) * (n - 1) / 2;
    TopologyFacts facts;
    facts.symmetric = facts.columns_sum_to_one = true;
    facts.exact_after = complete ? 1 : 0;
    return std::make_unique<FromFile>(n, std::vector<MixingRound>{MetropolisRound(n, edges)},
                                      facts);
  }
};

STARLING_REGISTER_PLUGIN(Topology, FromFile, FromFileConfig,
                         PluginFacts{"from_file",
                                     "any undirected graph, from an edge list",
                                     "weights: Xiao, Boyd, Lall, IPSN 2005",
                                     {"edge_list"},
                                     "at least as many workers as the file names"});

}  // namespace
}  // namespace starling
