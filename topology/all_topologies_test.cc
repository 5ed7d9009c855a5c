// The conformance suite over everything that is registered, with default configs.
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/plugin_table.h"
#include "core/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/conformance.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

std::vector<std::string> Names() { return Registry<Topology>::Global().Names(); }

// Configs of the topologies that do nothing without one.
std::string RefOf(const std::string& name) {
  if (name != "from_file") return absl::StrCat("name: \"", name, "\"");
  // Legal for any number of workers: those that the file does not name stand alone.
  const std::string path = absl::StrCat(testing::TempDir(), "/two_workers.txt");
  std::ofstream(path) << "0 1\n";
  return absl::StrCat("name: \"from_file\" config { ",
                      "[type.googleapis.com/starling.FromFileConfig] { path: \"", path, "\" } }");
}

std::vector<TopologyCase> Cases() {
  std::vector<TopologyCase> cases;
  for (const std::string& name : Names()) {
    const std::string ref = RefOf(name);
    cases.push_back({name, ref, [ref](int workers, int workers_per_node) {
                       return MakeTopology(ref, workers, workers_per_node).ok();
                     }});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registered, TopologyConformance, testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.label; });

TEST(AllTopologies, EveryListedPluginIsRegisteredUnderItsFoldersName) {
  const char* const labels = std::getenv("TOPOLOGY_PLUGINS");
  ASSERT_NE(labels, nullptr);
  std::vector<std::string> folders;
  for (absl::string_view label : absl::StrSplit(labels, ',')) {
    folders.emplace_back(label.substr(label.rfind('/') + 1));
  }
  EXPECT_EQ(Names(), folders);  // both sorted
}

TEST(AllTopologies, HaveFacts) {
  for (const PluginInfo* info : PluginTable::Global().List(Topology::kKind)) {
    EXPECT_FALSE(info->facts.summary.empty()) << info->facts.name;
    EXPECT_LE(info->facts.summary.size(), 80u) << info->facts.name;
    EXPECT_TRUE(absl::EndsWith(info->default_config->GetTypeName(), "Config"));
  }
}

TEST(AllTopologies, AnswerToTheirAliases) {
  const std::map<std::string, std::string> aliases = {
      {"fully_connected", "complete"},
      {"fully-connected", "complete"},
      {"cycle", "ring"},
      {"exp2", "exponential"},
      {"one-peer-exp", "one_peer_exp"},
      {"aer", "alternating_exp_ring"},
      {"alternating-exp-ring", "alternating_exp_ring"},
      {"grid", "torus"},
  };
  for (const auto& [alias, name] : aliases) {
    const PluginInfo* info = PluginTable::Global().Find(Topology::kKind, alias);
    ASSERT_NE(info, nullptr) << alias;
    EXPECT_EQ(info->facts.name, name);
  }
}

TEST(AllTopologies, ErrorsNameTheTopology) {
  for (const std::string& name : Names()) {
    for (int workers : {3, 6, 7, 12}) {
      const auto topology = MakeTopology(RefOf(name), workers, 4);
      if (topology.ok()) continue;
      EXPECT_TRUE(absl::StrContains(topology.status().message(), name)) << topology.status();
    }
  }
}

}  // namespace
}  // namespace starling
