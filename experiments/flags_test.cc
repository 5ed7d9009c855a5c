#include "experiments/flags.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gflags/gflags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

DEFINE_string(out_dir, "here", "where the results of this made-up verb go");
DEFINE_int32(count, 3, "how many of them there are, in a description that is longer than one line");
DEFINE_double(rate, 0.5, "how fast");
DEFINE_string(again, "", "what to do once more");
DEFINE_bool(quick, false, "whether to hurry");

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FlagsTest : public testing::Test {
 protected:
  Arguments Parse(const std::vector<std::string>& args) {
    const auto parsed = ParseArguments(verb_, args);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? *parsed : Arguments();
  }

  std::string Error(const std::vector<std::string>& args) {
    const auto parsed = ParseArguments(verb_, args);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
    return std::string(parsed.status().message());
  }

  const Verb verb_{"make",
                   "make [flags]",
                   "makes things",
                   {"out_dir", "set", "count", "rate", "quick", "again"},
                   {{"again", "auto"}}};

 private:
  gflags::FlagSaver saver_;
};

TEST_F(FlagsTest, AFlagMayStandWithoutAValue) {
  EXPECT_THAT(Parse({"--again", "word"}).words, ElementsAre("word"));
  EXPECT_EQ(FLAGS_again, "auto");
  Parse({"--again=that"});
  EXPECT_EQ(FLAGS_again, "that");
  EXPECT_THAT(FlagsHelp(verb_), HasSubstr("--again[=TEXT]"));
}

TEST_F(FlagsTest, EverySpellingOfAValue) {
  for (const auto& args : std::vector<std::vector<std::string>>{{"--out_dir=x"},
                                                                {"--out-dir=x"},
                                                                {"-out_dir=x"},
                                                                {"--out_dir", "x"},
                                                                {"-out-dir", "x"}}) {
    FLAGS_out_dir = "";
    Parse(args);
    EXPECT_EQ(FLAGS_out_dir, "x") << args[0];
  }
  Parse({"--out_dir=a=b-c"});
  EXPECT_EQ(FLAGS_out_dir, "a=b-c");
  Parse({"--out_dir="});
  EXPECT_EQ(FLAGS_out_dir, "");
  Parse({"--count", "-2", "--rate=1e-3"});
  EXPECT_EQ(FLAGS_count, -2);
  EXPECT_EQ(FLAGS_rate, 1e-3);
}

TEST_F(FlagsTest, BooleansTakeNoSeparateValue) {
  EXPECT_THAT(Parse({"--quick", "word"}).words, ElementsAre("word"));
  EXPECT_TRUE(FLAGS_quick);
  Parse({"--noquick"});
  EXPECT_FALSE(FLAGS_quick);
  Parse({"--quick=true"});
  EXPECT_TRUE(FLAGS_quick);
  Parse({"-quick=0"});
  EXPECT_FALSE(FLAGS_quick);
}

TEST_F(FlagsTest, WordsStandAnywhere) {
  const Arguments arguments = Parse({"topology", "--count=1", "ring", "-"});
  EXPECT_THAT(arguments.words, ElementsAre("topology", "ring", "-"));
  EXPECT_FALSE(arguments.help);
  EXPECT_THAT(arguments.set, IsEmpty());
}

TEST_F(FlagsTest, SetIsKeptInOrder) {
  EXPECT_THAT(Parse({"--set", "a.b=1", "--count=1", "--set=a.b=2", "-set", "c=[1, 2]"}).set,
              ElementsAre("a.b=1", "a.b=2", "c=[1, 2]"));
}

TEST_F(FlagsTest, HelpInEverySpelling) {
  EXPECT_TRUE(Parse({"--help"}).help);
  EXPECT_TRUE(Parse({"-help"}).help);
  EXPECT_TRUE(Parse({"word", "-h"}).help);
}

TEST_F(FlagsTest, UnknownFlagsAreNamedWithTheNearest) {
  EXPECT_EQ(Error({"--cuont=1"}),
            "unknown flag --cuont; did you mean \"count\"? `starling make --help` lists them all");
  EXPECT_EQ(Error({"--zzzzzzz"}), "unknown flag --zzzzzzz. `starling make --help` lists them all");
  // A flag of gflags itself or of another verb is no flag of this one.
  EXPECT_THAT(Error({"--flagfile=x"}), HasSubstr("unknown flag --flagfile"));
  // Only a boolean can be negated.
  EXPECT_THAT(Error({"--nocount"}), HasSubstr("unknown flag --nocount"));
}

TEST_F(FlagsTest, MissingValuesAreNamed) {
  EXPECT_EQ(Error({"--count"}), "--count needs a value");
  EXPECT_EQ(Error({"--out_dir", "--count=1"}), "--out_dir needs a value");
  EXPECT_EQ(Error({"--set"}), "--set needs a value");
}

TEST_F(FlagsTest, ValuesOfTheWrongTypeAreNamed) {
  EXPECT_EQ(Error({"--count=many"}), "--count=many: expected int32");
  EXPECT_EQ(Error({"--count", "1.5"}), "--count=1.5: expected int32");
  EXPECT_EQ(Error({"--rate=fast"}), "--rate=fast: expected double");
  EXPECT_EQ(Error({"--quick=maybe"}), "--quick=maybe: expected bool");
  EXPECT_EQ(FLAGS_count, 3);
}

TEST_F(FlagsTest, HelpTextHasEveryFlagAndFitsTheTerminal) {
  const std::string text = FlagsHelp(verb_);
  for (const char* part : {"  --out_dir=TEXT ", "  --set PATH=VALUE ", "  --count=NUMBER ",
                           "  --rate=NUMBER ", "  --quick ", "whether to hurry"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80u) << line;
}

}  // namespace
}  // namespace starling
