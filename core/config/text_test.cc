#include "core/config/text.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/config/resolve.h"
#include "core/config/test_config.pb.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TestConfig Parse(const std::string& text) {
  TestConfig config;
  CHECK_OK(ParseText(text, "f", &config));
  return config;
}

// The mistakes in `text`, without the file's name.
std::vector<std::string> Mistakes(const std::string& text) {
  TestConfig config;
  const absl::Status status = ParseText(text, "f", &config);
  if (status.ok()) return {};
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> lines = absl::StrSplit(status.message(), '\n');
  for (std::string& line : lines) {
    EXPECT_EQ(line.substr(0, 2), "f:");
    line = line.substr(2);
  }
  return lines;
}

// --- the two forms -------------------------------------------------------------------------------

struct Forms {
  const char* title;
  const char* short_form;
  const char* long_form;
};

std::ostream& operator<<(std::ostream& out, const Forms& forms) { return out << forms.title; }

class BothFormsTest : public ::testing::TestWithParam<Forms> {};

TEST_P(BothFormsTest, MeanTheSame) {
  const TestConfig from_short = Parse(GetParam().short_form);
  const TestConfig from_long = Parse(GetParam().long_form);
  EXPECT_TRUE(MessageDifferencer::Equals(from_short, from_long)) << PrintText(from_short);
  // Protobuf itself agrees about the long form.
  TestConfig from_protobuf;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(GetParam().long_form, &from_protobuf));
  EXPECT_TRUE(MessageDifferencer::Equals(from_long, from_protobuf)) << PrintText(from_long);
  EXPECT_TRUE(MessageDifferencer::Equals(Parse(PrintText(from_short)), from_short));
}

#define ADAM "[type.googleapis.com/starling.testing.AdamConfig]"
#define GOSSIP "[type.googleapis.com/starling.testing.GossipConfig]"
#define TOP_K "[type.googleapis.com/starling.testing.TopKConfig]"

INSTANTIATE_TEST_SUITE_P(
    Text, BothFormsTest,
    ::testing::Values(
        Forms{"one line", R"(optimizer { name: "adam" config { lr: 0.5 } })",
              R"(optimizer { name: "adam" config { )" ADAM R"( { lr: 0.5 } } })"},
        Forms{"several lines", "optimizer {\n  name: \"adam\"\n  config {\n    lr: 0.5\n  }\n}\n",
              "optimizer {\n  name: \"adam\"\n  config {\n " ADAM "{   lr: 0.5\n  }\n}}\n"},
        Forms{"name after config", R"(optimizer { config { lr: 2 } name: "adam" })",
              R"(optimizer { config { )" ADAM R"( { lr: 2 } } name: "adam" })"},
        Forms{"comments and tabs",
              "optimizer {# {\n\tname:\t\"adam\"\t# config { x\n\tconfig\t{ # }\n\tlr: 2 }}",
              "optimizer { name: \"adam\" config { " ADAM " { lr: 2 }}}"},
        Forms{"angle brackets", R"(optimizer < name: "adam" config < lr: 2 > >)",
              R"(optimizer < name: "adam" config < )" ADAM R"( < lr: 2 > > >)"},
        Forms{"colons before blocks", R"(optimizer: { name: "adam" config: { lr: 2 } })",
              R"(optimizer: { name: "adam" config: { )" ADAM R"(: { lr: 2 } } })"},
        Forms{"commas and semicolons",
              R"(seed: 1; optimizer { name: "adam", config { lr: 2; }, };)",
              R"(seed: 1, optimizer { name: "adam"; config { )" ADAM R"( { lr: 2, } }; },)"},
        Forms{"empty config", R"(optimizer { name: "adam" config {} })",
              R"(optimizer { name: "adam" config { )" ADAM R"( {} } })"},
        Forms{"alias", R"(algorithm { name: "d_psgd" config { order: ATC } })",
              R"(algorithm { name: "d_psgd" config { )" GOSSIP R"( { order: ATC } } })"},
        Forms{"default name", R"(algorithm { config { order: ATC } })",
              R"(algorithm { config { )" GOSSIP R"( { order: ATC } } })"},
        Forms{"nested",
              R"(algorithm { config { compressor { config { ratio: 0.5 then { config {
                 then { name: "sign" } } name: "top_k" } } name: "top-k" } } name: "gossip" })",
              R"(algorithm { name: "gossip" config { )" GOSSIP R"( { compressor { name: "top-k"
                 config { )" TOP_K R"( { ratio: 0.5 then { name: "top_k" config { )" TOP_K R"( {
                 then { name: "sign" } } } } } } } } } })"},
        Forms{"nested, outer form long",
              R"(algorithm { name: "gossip" config { )" GOSSIP
              R"( { compressor { name: "top_k" config { ratio: 0.5 } } } } })",
              R"(algorithm { name: "gossip" config { )" GOSSIP
              R"( { compressor { name: "top_k" config { )" TOP_K R"( { ratio: 0.5 } } } } } })"},
        Forms{"lists of plug-ins",
              R"(compressor [{ name: "sign" }, { name: "top_k" config { ratio: 0.5 } }]
                 compressor { config { ratio: 0.25 } name: "top_k" })",
              R"(compressor { name: "sign" }
                 compressor: [{ name: "top_k" config { )" TOP_K R"( { ratio: 0.5 } } }]
                 compressor { name: "top_k" config { )" TOP_K R"( { ratio: 0.25 } } })"},
        Forms{"plug-ins in lists of messages",
              R"(arm { name: "a" optimizer { name: "adam" config { lr: 2 } } } arm { set: "x" })",
              R"(arm { name: "a" optimizer { name: "adam" config { )" ADAM
              R"( { lr: 2 } } } } arm { set: ["x"] })"}));

TEST(ParseTextTest, ReadsEveryKindOfValue) {
  const TestConfig config = Parse(R"(
    name: "a \"b\"" 'c\n' seed: -9223372036854775808
    train { workers: 0x10 epochs: -5 skip: 4294967295 timeout: inf }
    limit: [1, -2.5e3, nan] limit: 3f
    optimizer { name: "adam" config { amsgrad: true lr: .5 } }
    extra { [type.googleapis.com/starling.testing.Train] { workers: 3 } }
    steps: 4
  )");
  EXPECT_EQ(config.name(), "a \"b\"c\n");
  EXPECT_EQ(config.seed(), INT64_MIN);
  EXPECT_EQ(config.train().workers(), 16);
  EXPECT_EQ(config.train().skip(), 4294967295u);
  EXPECT_EQ(config.limit_size(), 4);
  EXPECT_EQ(config.limit(3), 3);
  Train train;
  ASSERT_TRUE(config.extra().UnpackTo(&train));
  EXPECT_EQ(train.workers(), 3);
  EXPECT_EQ(config.steps(), 4);
}

TEST(ParseTextTest, ClearsTheMessageFirst) {
  TestConfig config = Parse("seed: 5 limit: 1");
  ASSERT_TRUE(ParseText("limit: 2", "f", &config).ok());
  EXPECT_FALSE(config.has_seed());
  EXPECT_THAT(config.limit(), ElementsAre(2));
}

TEST(ParseTextTest, ANameMayBeLeftForLater) {
  EXPECT_EQ(Parse("optimizer {}").optimizer().name(), "");
}

// --- mistakes ------------------------------------------------------------------------------------

TEST(MistakesTest, UnknownFields) {
  EXPECT_THAT(Mistakes("sed: 1"),
              ElementsAre(HasSubstr("1:1: TestConfig has no field \"sed\"; did you mean \"seed\"? "
                                    "Fields: name, seed, algorithm")));
  EXPECT_THAT(Mistakes("algorithm { name: \"gossip\"\n\tconfig { ordr: ATC } }"),
              ElementsAre("2:11: GossipConfig has no field \"ordr\"; did you mean \"order\"? "
                          "Fields: order, gamma, compressor"));
  EXPECT_THAT(Mistakes("algorithm { name: \"gossip\"\n\tconfig { " GOSSIP " { ordr: ATC } } }"),
              ElementsAre(HasSubstr("2:65: GossipConfig has no field \"ordr\"; did you mean")));
  EXPECT_THAT(Mistakes("algorithm { name: \"allreduce\" config { zebra { x: 1 } } }"),
              ElementsAre("1:40: EmptyConfig has no field \"zebra\". Fields: none"));
  EXPECT_THAT(Mistakes("optimizer { name: \"adam\" lr: 1 }"),
              ElementsAre("1:26: PluginRef has no field \"lr\". Fields: name, config. What the "
                          "plug-in itself takes goes into config"));
}

TEST(MistakesTest, UnknownPlugins) {
  EXPECT_THAT(Mistakes("seed: 1\noptimizer { config { x: 1 } name: \"adm\" }"),
              ElementsAre(HasSubstr("2:35: no optimizer \"adm\" is linked into this binary; did "
                                    "you mean \"adam\"? Linked: adam, adam_w, sgd")));
  EXPECT_THAT(Mistakes("optimizer { name: \"adm\" config { " ADAM " { lr: 1 } } }"),
              ElementsAre(HasSubstr("1:19: no optimizer \"adm\"")));
  EXPECT_THAT(Mistakes("optimizer { config { lr: 1 } }"),
              ElementsAre("1:1: optimizer has a config, but no name to say whose it is; `starling "
                          "list optimizer` prints the choice"));
  EXPECT_THAT(Mistakes("compressor [{ name: \"sign\" }, { name: \"\" config {} }]"),
              ElementsAre(HasSubstr("1:39: compressor[1] has a config, but no name")));
  // What hides the name is the mistake, and the only one.
  EXPECT_THAT(Mistakes("optimizer { name: adam config { x: 1 } }"),
              ElementsAre("1:19: optimizer.name: expected a string in quotes, got adam"));
  EXPECT_THAT(Mistakes("algorithm { name: allreduce config { order: ATC } }"),
              ElementsAre("1:19: algorithm.name: expected a string in quotes, got allreduce"));
}

TEST(MistakesTest, WrongTypesOfConfigs) {
  EXPECT_THAT(Mistakes("algorithm { name: \"gossip\" config { " ADAM " { lr: 1 } } }"),
              ElementsAre("1:37: algorithm \"gossip\" takes starling.testing.GossipConfig, not "
                          "starling.testing.AdamConfig"));
  EXPECT_THAT(Mistakes("algorithm { name: \"gossip\" config { [type.googleapis.com/X] {} } }"),
              ElementsAre("1:37: algorithm \"gossip\" takes starling.testing.GossipConfig, not X"));
  EXPECT_THAT(
      Mistakes("algorithm { name: \"gossip\" config { [starling.testing.GossipConfig] {} } }"),
      ElementsAre("1:37: algorithm.config: expected "
                  "[type.googleapis.com/starling.testing.GossipConfig]"));
  EXPECT_THAT(Mistakes("algorithm { config { " GOSSIP " {} order: ATC } }"),
              ElementsAre("1:77: algorithm.config: expected nothing more"));
  EXPECT_THAT(Mistakes("algorithm { config { order: ATC " GOSSIP " {} } }"),
              ElementsAre("1:33: a type in brackets may stand only alone in the config of a "
                          "plug-in"));
  EXPECT_THAT(Mistakes("extra { [type.googleapis.com/starling.X] {} }"),
              ElementsAre("1:9: extra: no message starling.X is linked into this binary"));
  EXPECT_THAT(Mistakes("extra { x: 1 }"), ElementsAre("1:7: extra: expected a type in brackets"));
}

TEST(MistakesTest, WrongValues) {
  EXPECT_THAT(Mistakes("train { epochs: \"two\" }"),
              ElementsAre("1:17: train.epochs: expected an integer, got \"two\""));
  EXPECT_THAT(Mistakes("train { epochs: 1.5 workers: 3000000000 skip: -1 timeout: soon }"),
              ElementsAre("1:17: train.epochs: expected an integer, got 1.5",
                          "1:30: train.workers: 3000000000 does not fit into int32",
                          "1:47: train.skip: expected an integer that is not negative, got -1",
                          "1:59: train.timeout: expected a number, got soon"));
  EXPECT_THAT(Mistakes("algorithm { config { order: AWX } }"),
              ElementsAre("1:29: algorithm.config.order: expected one of AWC, ATC, got AWX"));
  EXPECT_THAT(Mistakes("algorithm { config { order: 1 } }"),
              ElementsAre("1:29: algorithm.config.order: expected one of AWC, ATC, got 1"));
  EXPECT_THAT(Mistakes("optimizer { name: \"adam\" config { lr: x amsgrad: yes } }"),
              ElementsAre("1:39: optimizer.config.lr: expected a number, got x",
                          "1:50: optimizer.config.amsgrad: expected true or false, got yes"));
  EXPECT_THAT(Mistakes("limit: [1, a, 2, b]"),
              ElementsAre("1:12: limit[1]: expected a number, got a",
                          "1:18: limit[3]: expected a number, got b"));
  EXPECT_THAT(Mistakes("name: \"\\xff\""),
              ElementsAre("1:7: name: expected text in UTF-8, got other bytes"));
}

TEST(MistakesTest, WrongShapes) {
  EXPECT_THAT(Mistakes("seed { x: 1 }"), ElementsAre("1:6: seed: expected an integer, got {"));
  EXPECT_THAT(Mistakes("seed: [1]"), ElementsAre("1:7: seed: expected one value, got a list"));
  EXPECT_THAT(Mistakes("train: 5"), ElementsAre("1:8: train: expected a block in braces, got 5"));
  EXPECT_THAT(Mistakes("optimizer: \"adam\""),
              ElementsAre("1:12: optimizer: expected a block such as { name: \"...\" }, got "
                          "\"adam\""));
  EXPECT_THAT(Mistakes("algorithm { config: 5 }"),
              ElementsAre("1:21: algorithm.config: expected a block in braces"));
  EXPECT_THAT(Mistakes("algorithm { config [{}] }"),
              ElementsAre("1:20: algorithm.config: expected a block in braces"));
  EXPECT_THAT(Mistakes("[a/b] {}"),
              ElementsAre(HasSubstr("1:1: a type in brackets may stand only alone")));
}

TEST(MistakesTest, FieldsGivenTwice) {
  EXPECT_THAT(Mistakes("seed: 1\nseed: 1"), ElementsAre("2:1: seed is given twice, first at 1:1"));
  EXPECT_THAT(Mistakes("train {} train {}"),
              ElementsAre("1:10: train is given twice, first at 1:1"));
  EXPECT_THAT(Mistakes("algorithm { config {} config { order: ATC } }"),
              ElementsAre("1:23: algorithm.config is given twice, first at 1:13"));
  EXPECT_THAT(Mistakes("steps: 1 other {}"),
              ElementsAre("1:10: other excludes steps, which is given at 1:1"));
}

TEST(MistakesTest, ComeAllAtOnceAndInOrder) {
  EXPECT_THAT(Mistakes("optimizer { config { x: 1 }\n"
                       "  name: \"adam\" }\n"
                       "compressor { name: \"zip\" }\n"
                       "sed: 1 seed: x\n"
                       "algorithm { name: \"gossip\" config { ordr: ATC gamma: y } }"),
              ElementsAre(HasSubstr("1:22: AdamConfig has no field \"x\""),
                          HasSubstr("3:20: no compressor \"zip\""),
                          HasSubstr("4:1: TestConfig has no field \"sed\""),
                          HasSubstr("4:14: seed: expected an integer, got x"),
                          HasSubstr("5:37: GossipConfig has no field \"ordr\""),
                          HasSubstr("5:54: algorithm.config.gamma: expected a number, got y")));
}

TEST(MistakesTest, OfSyntaxOnlyTheFirst) {
  EXPECT_THAT(Mistakes("sed: 1\noptimizer { name \"adam\" }\n}"),
              ElementsAre("2:18: expected \":\" or \"{\" after \"name\", found \"adam\""));
}

TEST(MistakesTest, BehindAShortConfigOnTheSameLine) {
  const std::string config = "algorithm { name: \"gossip\" config { order: ATC } } ";  // 51
  EXPECT_THAT(Mistakes(config + "seed: x"), ElementsAre(HasSubstr("1:58: seed: ")));
  EXPECT_THAT(Mistakes(config + "sed: 1"), ElementsAre(HasSubstr("1:52: TestConfig")));
  EXPECT_THAT(Mistakes(config + "seed 1"), ElementsAre(HasSubstr("1:57: expected \":\"")));
  EXPECT_THAT(Mistakes(config + "}"), ElementsAre(HasSubstr("1:52: expected the name")));
  EXPECT_THAT(Mistakes(config + "name: \"a"), ElementsAre(HasSubstr("1:60: ")));
}

// --- locations, files, printing ------------------------------------------------------------------

TEST(LocationsTest, AreThoseOfValuesAndOfTheNamesOfBlocks) {
  TestConfig config;
  TextLocations locations;
  ASSERT_TRUE(ParseText("seed: 1\n"
                        "optimizer { config { lr: 2 } name: \"adam\" }\n"
                        "arm { name: \"a\" } arm: [{ name: \"b\" set: [\"x\",\n\"y\"] }]\n"
                        "algorithm { config { " GOSSIP " { gamma: 1 } } }",
                        "f", &config, &locations)
                  .ok());
  EXPECT_EQ(locations.Find("seed"), "f:1:7");
  EXPECT_EQ(locations.Find("optimizer"), "f:2:1");
  EXPECT_EQ(locations.Find("optimizer.config"), "f:2:13");
  EXPECT_EQ(locations.Find("optimizer.config.lr"), "f:2:26");
  EXPECT_EQ(locations.Find("optimizer.config.beta"), "f:2:13");
  EXPECT_EQ(locations.Find("optimizer.name"), "f:2:36");
  EXPECT_EQ(locations.Find("arm"), "f:3:1");
  EXPECT_EQ(locations.Find("arm[0].name"), "f:3:13");
  EXPECT_EQ(locations.Find("arm[1]"), "f:3:25");
  EXPECT_EQ(locations.Find("arm[1].set[1]"), "f:4:1");
  EXPECT_EQ(locations.Find("algorithm.config.gamma"), "f:5:83");
  EXPECT_EQ(locations.Find("train.epochs"), "f");
}

TEST(PrintTextTest, PrintsTheLongFormAndReadsItBack) {
  TestConfig config = Parse(
      R"(algorithm { name: "gossip" config { order: ATC compressor { name: "top_k" config {} } } }
         name: "Zürich" limit: [0.1, 1e-300, -inf] seed: 3)");
  const std::string text = PrintText(config);
  EXPECT_EQ(text, R"(name: "Zürich"
seed: 3
algorithm {
  name: "gossip"
  config {
    [type.googleapis.com/starling.testing.GossipConfig] {
      order: ATC
      compressor {
        name: "top_k"
        config {
          [type.googleapis.com/starling.testing.TopKConfig] {
          }
        }
      }
    }
  }
}
limit: [0.1, 1e-300, -inf]
)");
  EXPECT_TRUE(MessageDifferencer::Equals(Parse(text), config));
  ASSERT_TRUE(ResolveAndValidate(&config).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(Parse(PrintText(config)), config));
}

TEST(LoadTextTest, ReadsAFileAndNamesItInMistakes) {
  const std::string path = absl::StrCat(std::getenv("TEST_TMPDIR"), "/a.textproto");
  std::ofstream(path) << "seed: 4\n";
  TestConfig config;
  TextLocations locations;
  ASSERT_TRUE(LoadText(path, &config, &locations).ok());
  EXPECT_EQ(config.seed(), 4);
  EXPECT_EQ(locations.Find("seed"), path + ":1:7");
  std::ofstream(path) << "seed: x\n";
  EXPECT_EQ(std::string(LoadText(path, &config).message()),
            path + ":1:7: seed: expected an integer, got x");
}

TEST(LoadTextTest, SaysWhyAFileCannotBeRead) {
  const std::string directory = std::getenv("TEST_TMPDIR");
  TestConfig config;
  absl::Status status = LoadText(directory + "/missing", &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("cannot read ", directory, "/missing: No such file or directory"));
  status = LoadText(directory, &config);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("cannot read ", directory, ": Is a directory"));
}

}  // namespace
}  // namespace starling::testing
