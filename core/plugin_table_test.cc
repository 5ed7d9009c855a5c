#include "core/plugin_table.h"

#include <string>
#include <vector>

#include "core/config/test_config.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PluginInfo Info(const std::string& kind, const std::string& name,
                std::vector<std::string> aliases = {}) {
  PluginInfo info{kind, {}, &testing::EmptyConfig::default_instance()};
  info.facts.name = name;
  info.facts.aliases = std::move(aliases);
  return info;
}

class PluginTableTest : public ::testing::Test {
 protected:
  PluginTableTest() {
    table_.Add(Info("topology", "torus"));
    table_.Add(Info("topology", "one_peer_exp", {"one-peer-exponential"}));
    table_.Add(Info("topology", "complete", {"fully_connected"}));
    table_.Add(Info("algorithm", "torus"));  // kinds do not share names
  }

  std::string Complaint(absl::string_view kind, absl::string_view name) const {
    const auto info = table_.Get(kind, name);
    EXPECT_EQ(info.status().code(), absl::StatusCode::kNotFound);
    return std::string(info.status().message());
  }

  PluginTable table_;
};

TEST_F(PluginTableTest, FindsNamesAndAliasesWithEitherDash) {
  EXPECT_EQ(table_.Find("topology", "complete")->facts.name, "complete");
  EXPECT_EQ(table_.Find("topology", "fully-connected")->facts.name, "complete");
  EXPECT_EQ(table_.Find("topology", "one-peer-exp")->facts.name, "one_peer_exp");
  EXPECT_EQ(table_.Find("topology", "one_peer_exponential")->facts.name, "one_peer_exp");
  EXPECT_EQ((*table_.Get("algorithm", "torus"))->kind, "algorithm");
  EXPECT_EQ(table_.Find("topology", "ring"), nullptr);
  EXPECT_EQ(table_.Find("dataset", "torus"), nullptr);
}

TEST_F(PluginTableTest, AnswersUnknownNamesWithTheNearestAndAll) {
  const std::string rest =
      " Linked: complete, one_peer_exp, torus. A plug-in of your own must be in `plugins` of the "
      "starling_experiment.";
  EXPECT_EQ(Complaint("topology", "toros"),
            "no topology \"toros\" is linked into this binary; did you mean \"torus\"?" + rest);
  EXPECT_EQ(Complaint("topology", "fully_conected"),
            "no topology \"fully_conected\" is linked into this binary; did you mean "
            "\"fully_connected\"?" +
                rest);
  EXPECT_EQ(Complaint("topology", "xyz"), "no topology \"xyz\" is linked into this binary." + rest);
  EXPECT_EQ(Complaint("dataset", "mnist"),
            "no dataset is linked into this binary; add the target of \"mnist\" to `plugins` of "
            "the starling_experiment");
}

TEST_F(PluginTableTest, SaysWhyItLacksAPlugin) {
  table_.AddAbsent("topology", "hyper_torus", "needs a program built with --hyper");
  EXPECT_EQ(
      Complaint("topology", "hyper-torus"),
      "topology \"hyper-torus\" is not in this binary: it needs a program built with --hyper");
  EXPECT_EQ(table_.Find("topology", "hyper_torus"), nullptr);
}

TEST_F(PluginTableTest, ListsAreSorted) {
  EXPECT_THAT(table_.Kinds(), ElementsAre("algorithm", "topology"));
  std::vector<std::string> names;
  for (const PluginInfo* info : table_.List("topology")) names.push_back(info->facts.name);
  EXPECT_THAT(names, ElementsAre("complete", "one_peer_exp", "torus"));
  EXPECT_THAT(table_.List("dataset"), IsEmpty());
}

using PluginTableDeathTest = PluginTableTest;

TEST_F(PluginTableDeathTest, ANameBelongsToOnePlugin) {
  EXPECT_DEATH(table_.Add(Info("topology", "torus")), "topology \"torus\" is registered twice");
  EXPECT_DEATH(table_.Add(Info("topology", "fully_connected")), "registered twice");
  EXPECT_DEATH(table_.Add(Info("topology", "all", {"one-peer-exp"})), "registered twice");
}

}  // namespace
}  // namespace starling
