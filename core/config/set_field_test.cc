#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/config/resolve.h"
#include "core/config/test_config.pb.h"
#include "core/config/text.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TestConfig Parse(const std::string& text) {
  TestConfig config;
  CHECK_OK(ParseText(text, "f", &config));
  return config;
}

// Expects that `assignment` makes of the config `before` the config `after`. Returns the notes.
std::vector<std::string> ExpectSets(const std::string& before, const std::string& assignment,
                                    const std::string& after) {
  TestConfig config = Parse(before);
  std::vector<std::string> notes;
  const absl::Status status = SetField(&config, assignment, &notes);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(MessageDifferencer::Equals(config, Parse(after))) << PrintText(config);
  return notes;
}

// The complaint about `assignment`, which must come first in it and change nothing.
std::string Complaint(const std::string& before, const std::string& assignment) {
  TestConfig config = Parse(before);
  std::vector<std::string> notes;
  const absl::Status status = SetField(&config, assignment, &notes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(MessageDifferencer::Equals(config, Parse(before))) << PrintText(config);
  EXPECT_THAT(notes, IsEmpty());
  const std::string message(status.message());
  EXPECT_THAT(message, StartsWith(assignment + ": "));
  return message.substr(assignment.size() + 2);
}

TEST(SetFieldTest, SetsScalarsOfEveryType) {
  ExpectSets("seed: 1", "seed=-4", "seed: -4");
  ExpectSets("", "train.epochs=3", "train { epochs: 3 }");
  ExpectSets("train { epochs: 3 workers: 1 }", "train.workers=2", "train { epochs: 3 workers: 2 }");
  ExpectSets("", "train.timeout=1e-3", "train { timeout: 1e-3 }");
  ExpectSets("algorithm { name: \"gossip\" }", "algorithm.config.order=ATC",
             "algorithm { name: \"gossip\" config { order: ATC } }");
  ExpectSets("optimizer { name: \"adam\" }", "optimizer.config.amsgrad=true",
             "optimizer { name: \"adam\" config { amsgrad: true } }");
  ExpectSets("", " seed = 4 ", "seed: 4");
}

TEST(SetFieldTest, StringsNeedNoQuotes) {
  ExpectSets("", "name=a b=c", "name: \"a b=c\"");
  ExpectSets("", "name=\"a b\"", "name: \"a b\"");
  ExpectSets("", "name='a\\n'", "name: \"a\\n\"");
  ExpectSets("", "name=a \"b\" \\", "name: \"a \\\"b\\\" \\\\\"");
  ExpectSets("name: \"x\"", "name=", "name: \"\"");
  ExpectSets("", "name=Zürich", "name: \"Zürich\"");
  ExpectSets("", "name=run#3", "name: \"run#3\"");
  EXPECT_EQ(Complaint("", "name=\"a"), "expected a string in quotes, got \"a");
}

TEST(SetFieldTest, GoesThroughConfigsOfPlugins) {
  ExpectSets("optimizer { name: \"adam\" config { beta: 0.5 } }", "optimizer.config.lr=1e-3",
             "optimizer { name: \"adam\" config { beta: 0.5 lr: 1e-3 } }");
  // Without a name, through the default plug-in.
  ExpectSets("", "algorithm.config.gamma=0.5", "algorithm { config { gamma: 0.5 } }");
  const std::string nested =
      "algorithm { name: \"gossip\" config { order: ATC compressor { name: "
      "\"top_k\" config { ratio: 0.5 then { name: \"top_k\" } } } } }";
  ExpectSets(nested, "algorithm.config.compressor.config.ratio=0.25",
             "algorithm { name: \"gossip\" config { order: ATC compressor { name: \"top_k\" config "
             "{ ratio: 0.25 then { name: \"top_k\" } } } } }");
  ExpectSets(nested, "algorithm.config.compressor.config.then[0].config.ratio=0.25",
             "algorithm { name: \"gossip\" config { order: ATC compressor { name: \"top_k\" config "
             "{ ratio: 0.5 then { name: \"top_k\" config { ratio: 0.25 } } } } } }");
  ExpectSets(nested, "algorithm.config.compressor.name=sign",
             "algorithm { name: \"gossip\" config { order: ATC compressor { name: \"sign\" config "
             "{} } } }");
}

TEST(SetFieldTest, ANewNameKeepsFieldsOfEqualNameAndType) {
  EXPECT_THAT(
      ExpectSets("optimizer { name: \"adam\" config { lr: 2 beta: 0.5 amsgrad: true label: "
                 "\"x\" } }",
                 "optimizer.name=sgd", "optimizer { name: \"sgd\" config { lr: 2 label: \"x\" } }"),
      ElementsAre("optimizer.config.beta is dropped: optimizer \"sgd\" has another type "
                  "there",
                  "optimizer.config.amsgrad is dropped: optimizer \"sgd\" has no such "
                  "field"));
  EXPECT_THAT(
      ExpectSets("optimizer { name: \"adam\" config { lr: 2 beta: 0.5 } }", "optimizer.name=adam_w",
                 "optimizer { name: \"adam_w\" config { lr: 2 beta: 0.5 } }"),
      IsEmpty());
  EXPECT_THAT(ExpectSets("optimizer { name: \"adam\" }", "optimizer.name=sgd",
                         "optimizer { name: \"sgd\" }"),
              IsEmpty());
  EXPECT_THAT(ExpectSets("", "optimizer.name=\"sgd\"", "optimizer { name: \"sgd\" }"), IsEmpty());
  EXPECT_THAT(ExpectSets("algorithm { config { gamma: 1 compressor { name: \"sign\" } } }",
                         "algorithm.name=allreduce", "algorithm { name: \"allreduce\" config {} }"),
              ElementsAre("algorithm.config.gamma is dropped: algorithm \"allreduce\" has no such "
                          "field",
                          "algorithm.config.compressor is dropped: algorithm \"allreduce\" has no "
                          "such field"));
}

TEST(SetFieldTest, NotesAreAppended) {
  TestConfig config = Parse("optimizer { name: \"adam\" config { beta: 1 } }");
  std::vector<std::string> notes = {"before"};
  ASSERT_TRUE(SetField(&config, "optimizer.name=sgd", &notes).ok());
  EXPECT_EQ(notes.size(), 2u);
}

TEST(SetFieldTest, WholeMessagesReplaceTheOldOnes) {
  const std::string before =
      "optimizer { name: \"adam\" config { lr: 1 beta: 2 } } train { epochs: 1 }";
  ExpectSets(before, "optimizer={name: \"sgd\" config {lr: 1e-3}}",
             "optimizer { name: \"sgd\" config { lr: 1e-3 } } train { epochs: 1 }");
  ExpectSets(before, "optimizer.config={lr: 5}",
             "optimizer { name: \"adam\" config { lr: 5 } } train { epochs: 1 }");
  ExpectSets(before, "optimizer.config={[type.googleapis.com/starling.testing.AdamConfig] {lr: 5}}",
             "optimizer { name: \"adam\" config { lr: 5 } } train { epochs: 1 }");
  ExpectSets(before, "train={workers: 2}",
             "optimizer { name: \"adam\" config { lr: 1 beta: 2 } } train { workers: 2 }");
  ExpectSets("", "train={}", "train {}");
}

TEST(SetFieldTest, Lists) {
  ExpectSets("limit: [1, 2, 3]", "limit=[4, 5]", "limit: [4, 5]");
  ExpectSets("limit: [1, 2, 3]", "limit=4", "limit: 4");
  ExpectSets("limit: [1, 2, 3]", "limit=[]", "");
  ExpectSets("limit: [1, 2, 3]", "limit[1]=5", "limit: [1, 5, 3]");
  const std::string arms = "arm { name: \"a\" } arm { name: \"b\" set: \"x\" } arm {}";
  ExpectSets(arms, "arm[1].name=c", "arm { name: \"a\" } arm { name: \"c\" set: \"x\" } arm {}");
  ExpectSets(arms, "arm[0]={set: \"y\"}",
             "arm { set: \"y\" } arm { name: \"b\" set: \"x\" } arm {}");
  ExpectSets(arms, "arm[1].set=[\"p\", \"q\"]",
             "arm { name: \"a\" } arm { name: \"b\" set: \"p\" set: \"q\" } arm {}");
  ExpectSets(arms, "arm={name: \"z\"}", "arm { name: \"z\" }");
  ExpectSets(arms, "arm=[{name: \"y\"}, {name: \"z\"}]", "arm { name: \"y\" } arm { name: \"z\" }");
  ExpectSets(
      arms, "arm[2].optimizer.name=sgd",
      "arm { name: \"a\" } arm { name: \"b\" set: \"x\" } arm { optimizer { name: \"sgd\" } }");
  ExpectSets("compressor { name: \"sign\" }", "compressor[0]={name: \"top_k\" config {ratio: 0.5}}",
             "compressor { name: \"top_k\" config { ratio: 0.5 } }");
}

TEST(SetFieldTest, SettingOneMemberOfAOneofUnsetsTheOther) {
  ExpectSets("steps: 4", "other.workers=2", "other { workers: 2 }");
  ExpectSets("other { workers: 2 }", "steps=4", "steps: 4");
}

TEST(SetFieldTest, ComplainsAboutValues) {
  const std::string config = "optimizer { name: \"adam\" }";
  EXPECT_EQ(Complaint(config, "optimizer.config.lr=abc"), "expected a number, got abc");
  EXPECT_EQ(Complaint(config, "optimizer.config.lr="), "expected a number, got nothing");
  EXPECT_EQ(Complaint(config, "optimizer.config.lr=1 2"), "expected a number, got 1 2");
  EXPECT_EQ(Complaint(config, "optimizer.config.amsgrad=2"), "expected true or false, got 2");
  EXPECT_EQ(Complaint("", "train.epochs=two"), "expected an integer, got two");
  EXPECT_EQ(Complaint("", "train.workers=99999999999"), "99999999999 does not fit into int32");
  EXPECT_EQ(Complaint("", "algorithm.config.order=XYZ"), "expected one of AWC, ATC, got XYZ");
  EXPECT_EQ(Complaint("", "train=5"), "train: expected a block in braces, got 5");
  EXPECT_EQ(Complaint("", "optimizer=adam"),
            "optimizer: expected a block such as { name: \"...\" }, got adam");
  EXPECT_EQ(Complaint("", "seed=[1]"), "expected an integer, got [1]");
  EXPECT_EQ(Complaint("limit: 1", "limit=[1, x]"), "limit[1]: expected a number, got x");
  EXPECT_EQ(Complaint("limit: 1", "limit[0]=x"), "expected a number, got x");
  EXPECT_EQ(Complaint("limit: 1", "limit[0]=[2]"), "expected a number, got [2]");
  EXPECT_EQ(Complaint("arm {} arm {}", "arm[0]=[]"), "expected one value, got a list");
  EXPECT_EQ(Complaint("arm {}", "arm[0]=[{}, {}]"), "expected one value, got a list");
  EXPECT_EQ(Complaint("", "train=[{}]"), "expected one value, got a list");
  EXPECT_EQ(Complaint("", "train={epochs: 1"),
            "expected \"}\" for the block that begins at 1:1, found the end of the text");
  EXPECT_EQ(Complaint("", "train={} seed: 1"), "expected nothing more, found \"seed\"");
  EXPECT_THAT(Complaint("", "train={epoch: x workers: y}"),
              ::testing::AllOf(StartsWith("Train has no field \"epoch\"; did you mean \"epochs\"?"),
                               ::testing::EndsWith("\ntrain.workers: expected an integer, got y")));
}

TEST(SetFieldTest, ComplainsAboutPaths) {
  const std::string config = "optimizer { name: \"adam\" } arm {} arm {}";
  EXPECT_THAT(Complaint(config, "sed=1"),
              StartsWith("TestConfig has no field \"sed\"; did you mean \"seed\"? Fields: name, "));
  EXPECT_THAT(Complaint(config, "optimizer.config.rl=1"), StartsWith("AdamConfig has no field"));
  EXPECT_THAT(Complaint(config, "optimizer.lr=1"),
              StartsWith("PluginRef has no field \"lr\". Fields: name, config. What the plug-in"));
  EXPECT_EQ(Complaint(config, "seed.x=1"), "seed is a single value, it has no field \"x\"");
  EXPECT_EQ(Complaint(config, "arm.name=1"), "arm is a list; choose an entry: arm[0]");
  EXPECT_EQ(Complaint(config, "arm[2].name=1"), "arm[2] does not exist; the list has 2 entries");
  EXPECT_EQ(Complaint(config, "arm[-1].name=1"), "\"arm[-1]\" is neither name nor name[index]");
  EXPECT_EQ(Complaint(config, "arm[].name=1"), "\"arm[]\" is neither name nor name[index]");
  EXPECT_EQ(Complaint(config, "arm[0=1"), "\"arm[0\" is neither name nor name[index]");
  EXPECT_EQ(Complaint(config, "train[0].epochs=1"), "train is not a list");
  EXPECT_EQ(Complaint(config, "arm[0].set[0]=1"),
            "arm[0].set[0] does not exist; the list has 0 entries");
  EXPECT_EQ(Complaint(config, "train..epochs=1"), "the path \"train..epochs\" has an empty part");
  EXPECT_EQ(Complaint(config, "=1"), "the path \"\" has an empty part");
  EXPECT_EQ(Complaint(config, "seed"), "expected path=value, e.g. train.epochs=3");
}

TEST(SetFieldTest, ComplainsAboutPlugins) {
  EXPECT_THAT(
      Complaint("", "optimizer.name=adm"),
      StartsWith("no optimizer \"adm\" is linked into this binary; did you mean \"adam\"?"));
  EXPECT_EQ(Complaint("", "optimizer.config.lr=1"),
            "optimizer.name is not set, so nobody knows whose config this is");
  EXPECT_EQ(Complaint("optimizer { name: \"adam\" }",
                      "optimizer.config={[type.googleapis.com/starling.testing.SgdConfig] {}}"),
            "optimizer \"adam\" takes starling.testing.AdamConfig, not starling.testing.SgdConfig");
}

TEST(SetFieldTest, AResolvedConfigStaysResolvedButForTheField) {
  TestConfig config = Parse("optimizer { name: \"adam\" }");
  ASSERT_TRUE(ResolveAndValidate(&config).ok());
  std::vector<std::string> notes;
  ASSERT_TRUE(SetField(&config, "optimizer.config.lr=-1", &notes).ok());
  EXPECT_EQ(std::string(ResolveAndValidate(&config).message()),
            "optimizer.config.lr is -1; it must be greater than 0 and at most 1000000");
}

}  // namespace
}  // namespace starling::testing
