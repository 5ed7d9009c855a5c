#include "topology/describe.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "topology/make_topology.h"

namespace starling {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<Topology> Make(const std::string& name, int workers, int workers_per_node = 1) {
  auto topology = MakeTopology(absl::StrCat("name: \"", name, "\""), workers, workers_per_node);
  EXPECT_TRUE(topology.ok()) << topology.status();
  return *std::move(topology);
}

std::string Text(const std::string& name, int workers, int workers_per_node = 1,
                 double model_bytes = 0) {
  return DescribeText(*Make(name, workers, workers_per_node),
                      PluginTable::Global().Find(Topology::kKind, name)->facts, workers_per_node,
                      model_bytes);
}

// Characters, not bytes: UTF-8's continuation bytes do not count.
int Columns(const std::string& line) {
  int columns = 0;
  for (char c : line) columns += (c & 0xC0) != 0x80;
  return columns;
}

TEST(DescribeText, ShowsTheAlternatingExpRing) {
  EXPECT_EQ(Text("alternating_exp_ring", 8, 2, 400 * 1024),
            R"(alternating_exp_ring: 8 workers on 4 nodes of 2
  what                pairs of machines at distances 1, 2, 4, ... average, every
                      second round
  source              Wang et al., ICLR 2025
  also called         aer
  needs               a power of two nodes, at least 2, of equally many workers

mixing
  period              4 rounds
  exact average       after 4 rounds
  rho                 0 (second singular value of the period's product)
  spectral gap        1 (1 - rho)
  symmetric           yes
  doubly stochastic   yes
  connected           yes

sent per round, S = bytes of the model
                      mean                        most
  by a worker         1.25 S = 500 KiB            1.5 S = 600 KiB
  by a network card   0.5 S = 200 KiB             1 S = 400 KiB

rounds
  round 0  {0 1} {2 3} {4 5 6 7}
           [0  1][2  3][4  5][6  7]
            ╰──╯  ╰──╯  ╰──┴──┴──╯
  round 1  {0 1 2 3} {4 5} {6 7}
           [0  1][2  3][4  5][6  7]
            ╰──┴──┴──╯  ╰──╯  ╰──╯
  round 2  {0 1} {4 5} {2 3 6 7}
           [0  1][2  3][4  5][6  7]
            ╰──╯  │  │  ╰──╯  │  │
                  ╰──┴────────┴──╯
  round 3  {0 1 4 5} {2 3} {6 7}
           [0  1][2  3][4  5][6  7]
            │  │  ╰──╯  │  │  ╰──╯
            ╰──┴────────┴──╯
)");
}

TEST(DescribeText, ShowsARing) {
  EXPECT_EQ(Text("ring", 4), R"(ring: 4 workers on 4 nodes of 1
  what                two neighbours and oneself, 1/3 each, in every round
  source              Lian et al., NeurIPS 2017
  also called         cycle

mixing
  period              1 round
  exact average       no
  rho                 0.333333 (second singular value of the period's product)
  spectral gap        0.666667 (1 - rho)
  disagreement        falls to a tenth within 3 rounds
  symmetric           yes
  doubly stochastic   yes
  connected           yes

sent per round, S = bytes of the model
                      mean                        most
  by a worker         2 S                         2 S
  by a network card   2 S                         2 S

rounds
  round 0  row: who receives, column: from whom
               0  1  2  3
            0  ██ ██ ·  ██
            1  ██ ██ ██ ·
            2  ·  ██ ██ ██
            3  ██ ·  ██ ██
           ██ 1/3
)");
}

TEST(DescribeText, FitsIntoEightyColumns) {
  for (const PluginInfo* info : PluginTable::Global().List(Topology::kKind)) {
    for (int workers : {1, 2, 4, 8, 16, 32, 128}) {
      const int workers_per_node = workers >= 8 ? 4 : 1;
      auto topology =
          MakeTopology(absl::StrCat("name: \"", info->facts.name, "\""), workers, workers_per_node);
      if (!topology.ok()) continue;  // from_file without a file
      const std::string text =
          DescribeText(**topology, info->facts, workers_per_node, 1234567890123.0);
      for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
        EXPECT_LE(Columns(line), 80) << line;
        EXPECT_TRUE(line.empty() || line.back() != ' ') << "'" << line << "'";
      }
    }
  }
}

TEST(DescribeText, SaysWhatItLeavesOut) {
  const std::string many = Text("one_peer_exp", 64);
  EXPECT_THAT(many, HasSubstr("round 5  32 groups of 2\n"));
  EXPECT_THAT(many, HasSubstr("pictures are for at most 16 workers"));
  const std::string longer = Text("base_graph", 33);
  EXPECT_THAT(longer, HasSubstr("... 3 more rounds left out; --json has them all\n"));
  EXPECT_THAT(Text("star", 20), HasSubstr("workers mix 2 to 20 models, their own among them\n"));
  EXPECT_THAT(Text("exponential", 20), HasSubstr("every worker mixes 6 models"));
  EXPECT_THAT(Text("ring", 16), Not(HasSubstr("left out")));
}

TEST(DescribeText, WarnsOfParts) {
  const PeriodicTopology parts(3, {MixingRound::FromGroups(3, {{0, 1}, {2}})}, TopologyFacts());
  const std::string text = DescribeText(parts, PluginFacts{"parts", "two parts", "", {}, ""}, 1, 0);
  EXPECT_THAT(text, HasSubstr("connected           NO: 2 parts"));
  EXPECT_THAT(text, HasSubstr("never vanishes"));
  EXPECT_THAT(text, Not(HasSubstr("also called")));
}

TEST(DescribeJson, HasTheFixedKeysInOrder) {
  EXPECT_EQ(DescribeJson(*Make("one_peer_exp", 2), "one_peer_exp"),
            R"({"name":"one_peer_exp","workers":2,"period":1,"rounds":[[)"
            R"({"to":0,"from":0,"weight":0.5},{"to":0,"from":1,"weight":0.5},)"
            R"({"to":1,"from":0,"weight":0.5},{"to":1,"from":1,"weight":0.5}]],)"
            R"("rho_period":0.0,"exact":true,"symmetric":true,"doubly_stochastic":true})"
            "\n");
}

TEST(DescribeJson, TellsWhatTheRoundsAre) {
  const auto ring = nlohmann::json::parse(DescribeJson(*Make("ring", 8), "ring"));
  EXPECT_NEAR(ring["rho_period"].get<double>(), 0.804738, 5e-7);
  EXPECT_FALSE(ring["exact"].get<bool>());
  EXPECT_TRUE(ring["symmetric"].get<bool>());
  EXPECT_EQ(ring["rounds"][0].size(), 24u);

  const auto directed = nlohmann::json::parse(DescribeJson(*Make("exponential", 8), "exponential"));
  EXPECT_NEAR(directed["rho_period"].get<double>(), 0.5, 1e-12);
  EXPECT_FALSE(directed["symmetric"].get<bool>());
  EXPECT_TRUE(directed["doubly_stochastic"].get<bool>());

  const auto aer = nlohmann::json::parse(DescribeJson(*Make("alternating_exp_ring", 8, 2), "aer"));
  EXPECT_EQ(aer["name"], "aer");
  EXPECT_EQ(aer["period"], 4);
  EXPECT_EQ(aer["rounds"].size(), 4u);
  EXPECT_TRUE(aer["exact"].get<bool>());
}

TEST(DescribeJson, ComputesInsteadOfBelieving) {
  TopologyFacts facts;  // claims rows only
  const PeriodicTopology modest(2, {MixingRound::FromGroups(2, {{0, 1}})}, facts);
  const auto json = nlohmann::json::parse(DescribeJson(modest, "modest"));
  EXPECT_TRUE(json["doubly_stochastic"].get<bool>());
  EXPECT_TRUE(json["exact"].get<bool>());
}

}  // namespace
}  // namespace starling
