// Random damage to configs: never a crash, and what still parses means the same in every form.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/config/test_config.pb.h"
#include "core/config/text.h"
#include "core/random/random.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace starling::testing {
namespace {

using ::google::protobuf::util::MessageDifferencer;

// "@X{" opens the config of plug-in X and "@}" closes it, in either form. Both begin a new line,
// so that neither can stand in a string or a comment: there the two forms do differ.
constexpr char kTemplate[] = R"(name: "quick" seed: 1
algorithm { name: "gossip" config @G{ order: ATC gamma: 0.5 compressor {
  name: "top_k" config @T{ ratio: 0.5 then { name: "sign" config @E{@} } @} } @} }  # comment
optimizer <config: @A{ lr: 1e-3, amsgrad: true; label: 'x' "y" @} name: "adam">
compressor: [{ name: "sign" }, { name: "top_k" config @T{ then: [] @} }]
train { epochs: 2 workers: 0x10 timeout: -inf } limit: [1, 2.5] limit: -3
arm { name: "a" set: "seed=3" optimizer { name: "sgd" config @S{ milestones: [1, 2] @} } } steps: 4
)";

std::string InShortForm(const std::string& text) {
  std::string result = absl::StrReplaceAll(text, {{"@}", "\n}"}});
  for (const char* mark : {"@G{", "@T{", "@E{", "@A{", "@S{"}) {
    result = absl::StrReplaceAll(result, {{mark, "\n{"}});
  }
  return result;
}

std::string InLongForm(const std::string& text) {
  const std::string type = "\n{ [type.googleapis.com/starling.testing.";
  return absl::StrReplaceAll(text, {{"@G{", type + "GossipConfig] {"},
                                    {"@T{", type + "TopKConfig] {"},
                                    {"@E{", type + "EmptyConfig] {"},
                                    {"@A{", type + "AdamConfig] {"},
                                    {"@S{", type + "SgdConfig] {"},
                                    {"@}", "\n} }"}});
}

// Removes, repeats, exchanges or overwrites a few pieces of `text`.
std::string Damage(std::string text, Random* random) {
  const std::string alphabet = "{}<>[]:;,\"'#-. \n\tax019@\\/\xC3\xBC\xFF";
  const int64_t edits = 1 + random->Below(3);
  for (int64_t i = 0; i < edits && !text.empty(); ++i) {
    const size_t from = random->Below(text.size());
    const size_t length = 1 + random->Below(random->Below(2) == 0 ? 2 : 30);
    switch (random->Below(4)) {
      case 0:
        text.erase(from, length);
        break;
      case 1:
        text.insert(random->Below(text.size()), text.substr(from, length));
        break;
      case 2:
        text.insert(from, 1, alphabet[random->Below(alphabet.size())]);
        break;
      case 3:
        text[from] = alphabet[random->Below(alphabet.size())];
        break;
    }
  }
  return text;
}

TEST(TextFuzzTest, WhatParsesInBothFormsAgrees) {
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = i == 0 ? kTemplate : Damage(kTemplate, &random);
    TestConfig from_short, from_long;
    const absl::Status short_status = ParseText(InShortForm(text), "s", &from_short);
    const absl::Status long_status = ParseText(InLongForm(text), "l", &from_long);
    if (i == 0) {
      ASSERT_TRUE(short_status.ok() && long_status.ok()) << short_status << long_status;
    }
    if (short_status.ok() && long_status.ok()) {
      ++parsed;
      ASSERT_TRUE(MessageDifferencer::Equals(from_short, from_long)) << text;
    }
    if (long_status.ok()) {
      TestConfig printed;
      ASSERT_TRUE(ParseText(PrintText(from_long), "p", &printed).ok()) << text;
      ASSERT_TRUE(MessageDifferencer::Equals(printed, from_long)) << text;
    }
  }
  EXPECT_GT(parsed, 500);  // else this test would say little
}

class Silence final : public google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
};

TEST(TextFuzzTest, ProtobufAgreesAboutTheLongForm) {
  Silence silence;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silence);
  Random random(StreamKey(1, Purpose::kTest, 0, 1));
  for (int i = 0; i < 20000; ++i) {
    const std::string text = InLongForm(Damage(kTemplate, &random));
    TestConfig ours, theirs;
    if (!ParseText(text, "l", &ours).ok()) continue;
    ASSERT_TRUE(parser.ParseFromString(text, &theirs)) << text;
    ASSERT_TRUE(MessageDifferencer::Equals(ours, theirs)) << text;
  }
}

TEST(TextFuzzTest, AssignmentsNeverCrash) {
  const std::vector<std::string> assignments = {
      "algorithm.config.compressor.config.then[0].name=top_k",
      "optimizer={name: \"sgd\" config {milestones: [1, 2]}}",
      "limit[1]=7",
      "arm[0].set=[\"a\"]",
      "optimizer.config={lr: 2 label: 'x'}",
      "algorithm.config.gamma=0.25"};
  TestConfig config;
  ASSERT_TRUE(ParseText(InShortForm(kTemplate), "f", &config).ok());
  Random random(StreamKey(1, Purpose::kTest, 0, 2));
  for (int i = 0; i < 20000; ++i) {
    TestConfig changed = config;
    std::vector<std::string> notes;
    const std::string assignment = Damage(assignments[i % assignments.size()], &random);
    if (!SetField(&changed, assignment, &notes).ok()) {
      ASSERT_TRUE(MessageDifferencer::Equals(changed, config)) << assignment;
    }
  }
}

}  // namespace
}  // namespace starling::testing
