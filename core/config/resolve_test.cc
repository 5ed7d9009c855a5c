#include "core/config/resolve.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/config/test_config.pb.h"
#include "core/config/text.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TestConfig Parse(const std::string& text) {
  TestConfig config;
  CHECK_OK(ParseText(text, "test", &config));
  return config;
}

std::vector<std::string> Messages(const std::vector<Problem>& problems) {
  std::vector<std::string> messages;
  for (const Problem& problem : problems) messages.push_back(problem.message);
  return messages;
}

template <typename Config>
Config ConfigOf(const PluginRef& ref) {
  Config config;
  CHECK(ref.config().UnpackTo(&config));
  return config;
}

TEST(ResolveDefaultsTest, FillsWhatIsUnset) {
  TestConfig config = Parse("seed: 5 train { epochs: 3 } arm {}");
  ResolveDefaults(&config);
  EXPECT_EQ(config.name(), "test");
  EXPECT_EQ(config.seed(), 5);
  EXPECT_EQ(config.train().epochs(), 3);
  EXPECT_EQ(config.train().workers(), 8);
  EXPECT_TRUE(std::isinf(config.train().timeout()));
  EXPECT_FALSE(config.has_optimizer());
}

TEST(ResolveDefaultsTest, ListsHaveDefaultsToo) {
  SgdConfig config;
  ResolveDefaults(&config);
  EXPECT_THAT(config.milestones(), ElementsAre(10, 20));
  config.clear_milestones();
  config.add_milestones(3);
  ResolveDefaults(&config);
  EXPECT_THAT(config.milestones(), ElementsAre(3));
}

TEST(ResolveDefaultsTest, ZeroIsAValueAndNotUnset) {
  TestConfig config = Parse("seed: 0 train { epochs: 0 }");
  ResolveDefaults(&config);
  EXPECT_EQ(config.seed(), 0);
  EXPECT_EQ(config.train().epochs(), 0);
}

TEST(ResolveDefaultsTest, ChoosesNoMemberOfAOneof) {
  TestConfig config;
  ResolveDefaults(&config);
  EXPECT_EQ(config.length_case(), TestConfig::LENGTH_NOT_SET);
  config.mutable_other();
  ResolveDefaults(&config);
  EXPECT_EQ(config.other().workers(), 8);
}

TEST(ValidateRulesTest, LimitsThemselvesAreLegalUnlessExclusive) {
  const auto check = [](double gamma) {
    GossipConfig config;
    config.set_gamma(gamma);
    std::vector<Problem> problems;
    ValidateRules(config, "x.", &problems);
    return Messages(problems);
  };
  EXPECT_THAT(check(1), IsEmpty());
  EXPECT_THAT(check(1e-300), IsEmpty());
  EXPECT_THAT(check(0), ElementsAre("x.gamma is 0; it must be greater than 0 and at most 1"));
  EXPECT_THAT(check(1.5), ElementsAre("x.gamma is 1.5; it must be greater than 0 and at most 1"));
  EXPECT_THAT(check(-INFINITY),
              ElementsAre("x.gamma is -inf; it must be greater than 0 and at most 1"));

  TopKConfig config;
  config.set_ratio(1);
  std::vector<Problem> problems;
  ValidateRules(config, "", &problems);
  EXPECT_THAT(Messages(problems), ElementsAre("ratio is 1; it must be at least 0 and less than 1"));
}

TEST(ValidateRulesTest, NotANumberIsNeverLegal) {
  AdamConfig config;
  config.set_beta(NAN);  // no limits
  std::vector<Problem> problems;
  ValidateRules(config, "", &problems);
  EXPECT_THAT(Messages(problems), ElementsAre("beta is nan; it must be a number"));
}

TEST(ValidateRulesTest, EveryEntryOfAListIsChecked) {
  const TestConfig config = Parse("limit: [1, 11, 10, 12]");
  std::vector<Problem> problems;
  ValidateRules(config, "", &problems);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].path, "limit[1]");
  EXPECT_EQ(problems[0].message, "limit[1] is 11; it must be at most 10");
  EXPECT_EQ(problems[1].path, "limit[3]");
}

TEST(ValidateRulesTest, RangesPrintTheirUnit) {
  const TestConfig config = Parse("train { timeout: -1 }");
  std::vector<Problem> problems;
  ValidateRules(config, "", &problems);
  EXPECT_THAT(Messages(problems), ElementsAre("train.timeout is -1; it must be at least 0 s"));
}

TEST(RangeTextTest, SaysLimitsInWords) {
  FieldRules rules;
  EXPECT_EQ(RangeText(rules), "a number");
  rules.set_max(2147483647);
  EXPECT_EQ(RangeText(rules), "at most 2147483647");
  rules.set_min(0.5);
  rules.set_exclusive_min(true);
  EXPECT_EQ(RangeText(rules), "greater than 0.5 and at most 2147483647");
}

TEST(ResolveTest, PluginsGetCanonicalNamesAndResolvedConfigs) {
  TestConfig config = Parse(R"(
    algorithm { name: "d-psgd" config { order: ATC compressor { name: "top-k" } } }
    optimizer { name: "adam" config { lr: 0.5 } }
  )");
  EXPECT_THAT(Messages(Resolve(&config)), IsEmpty());
  EXPECT_EQ(config.algorithm().name(), "gossip");
  const auto gossip = ConfigOf<GossipConfig>(config.algorithm());
  EXPECT_EQ(gossip.order(), ATC);
  EXPECT_EQ(gossip.gamma(), 1);
  EXPECT_EQ(gossip.compressor().name(), "top_k");
  EXPECT_EQ(ConfigOf<TopKConfig>(gossip.compressor()).ratio(), 0.01);
  const auto adam = ConfigOf<AdamConfig>(config.optimizer());
  EXPECT_EQ(adam.lr(), 0.5);
  EXPECT_EQ(adam.label(), "plain");
}

TEST(ResolveTest, APluginWithADefaultAppears) {
  TestConfig config;
  EXPECT_THAT(Messages(Resolve(&config)), IsEmpty());
  EXPECT_EQ(config.algorithm().name(), "gossip");
  EXPECT_TRUE(config.algorithm().has_config());
  EXPECT_FALSE(config.has_optimizer());
}

TEST(ResolveTest, IsIdempotent) {
  TestConfig once = Parse("optimizer { name: \"sgd\" } compressor { name: \"sign\" }");
  ASSERT_TRUE(ResolveAndValidate(&once).ok());
  TestConfig twice = once;
  ASSERT_TRUE(ResolveAndValidate(&twice).ok());
  EXPECT_EQ(PrintText(once), PrintText(twice));
}

TEST(ResolveTest, ReportsAllProblemsAtOnceWithFullPaths) {
  TestConfig config = Parse(R"(
    algorithm { name: "gossip" config { gamma: 2 compressor { name: "top_k" config {
      ratio: 7 then { name: "sign" } then { name: "top_k" config { ratio: -1 } } } } } }
    optimizer { name: "adam" config { lr: -1 } }
    train { epochs: -3 workers: 0 }
    arm { optimizer { name: "sgd" config { milestones: [5, 0] } } }
    compressor {}
  )");
  EXPECT_THAT(
      Messages(Resolve(&config)),
      ElementsAre("train.epochs is -3; it must be at least 0",
                  "train.workers is 0; it must be at least 1 and at most 65536",
                  "algorithm.config.gamma is 2; it must be greater than 0 and at most 1",
                  "algorithm.config.compressor.config.ratio is 7; it must be at least 0 and less "
                  "than 1",
                  "algorithm.config.compressor.config.then[1].config.ratio is -1; it must be at "
                  "least 0 and less than 1",
                  "optimizer.config.lr is -1; it must be greater than 0 and at most 1000000",
                  "compressor[0].name is missing; `starling list compressor` prints the choice",
                  "arm[0].optimizer.config.milestones[1] is 0; it must be at least 1"));
}

TEST(ResolveTest, UnknownNamesAndWrongTypesAreProblems) {
  TestConfig config;
  config.mutable_algorithm()->set_name("gosip");
  config.mutable_optimizer()->set_name("adam");
  config.mutable_optimizer()->mutable_config()->PackFrom(SgdConfig());
  const std::vector<Problem> problems = Resolve(&config);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].path, "algorithm.name");
  EXPECT_THAT(problems[0].message,
              ::testing::StartsWith("algorithm.name: no algorithm \"gosip\" is linked into this "
                                    "binary; did you mean \"gossip\"? Linked: allreduce, gossip"));
  EXPECT_EQ(problems[1].path, "optimizer.config");
  EXPECT_EQ(problems[1].message,
            "optimizer.config: optimizer \"adam\" takes starling.testing.AdamConfig, not "
            "starling.testing.SgdConfig");
}

TEST(ResolveTest, ProblemsGetThePlacesOfTheText) {
  TestConfig config;
  TextLocations locations;
  ASSERT_TRUE(ParseText("train {\n"
                        "  epochs: -1 }\n"
                        "optimizer { name: \"adam\" config { lr: 0 } }\n"
                        "limit: [1,\n"
                        "  20]\n"
                        "arm { set: \"x\" optimizer {} }",
                        "f", &config, &locations)
                  .ok());
  const absl::Status status = ProblemsStatus(Resolve(&config), locations);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "f:2:11: train.epochs is -1; it must be at least 0\n"
            "f:5:3: limit[1] is 20; it must be at most 10\n"
            "f:3:39: optimizer.config.lr is 0; it must be greater than 0 and at most 1000000\n"
            "f:6:16: arm[0].optimizer.name is missing; `starling list optimizer` prints the "
            "choice");
}

TEST(ResolvedConfigTest, StartsFromThePrototypeAndNamesThePlugin) {
  const PluginInfo& adam = **PluginTable::Global().Get("optimizer", "adam");
  PluginRef ref;
  auto config = ResolvedConfig(adam, ref);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(static_cast<const AdamConfig&>(**config).lr(), 1e-3);

  AdamConfig wrong;
  wrong.set_lr(-1);
  ref.mutable_config()->PackFrom(wrong);
  EXPECT_EQ(std::string(ResolvedConfig(adam, ref).status().message()),
            "optimizer \"adam\": lr is -1; it must be greater than 0 and at most 1000000");

  ref.mutable_config()->PackFrom(SgdConfig());
  EXPECT_EQ(std::string(ResolvedConfig(adam, ref).status().message()),
            "optimizer \"adam\" takes starling.testing.AdamConfig, not starling.testing.SgdConfig");

  ref.mutable_config()->PackFrom(AdamConfig());
  ref.mutable_config()->set_value("\xff\xff");
  EXPECT_EQ(std::string(ResolvedConfig(adam, ref).status().message()),
            "the config of optimizer \"adam\" is corrupt");
}

}  // namespace
}  // namespace starling::testing
