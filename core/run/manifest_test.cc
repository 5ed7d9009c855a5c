#include "core/run/manifest.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/run/host.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace starling {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

ManifestInputs Inputs() {
  ManifestInputs inputs;
  inputs.commit = "0123456789abcdef0123456789abcdef01234567";
  inputs.dirty = true;
  inputs.command_line = {"starling", "train", "--set", "name=\"a b\""};
  inputs.start = absl::FromUnixSeconds(1700000000);
  return inputs;
}

nlohmann::json Parsed(const ManifestInputs& inputs) {
  return nlohmann::json::parse(ManifestJson(inputs));
}

TEST(ManifestTest, SaysWhatRanAndWhen) {
  ManifestInputs inputs = Inputs();
  nlohmann::json json = Parsed(inputs);
  EXPECT_EQ(json["starling"]["commit"], inputs.commit);
  EXPECT_EQ(json["starling"]["dirty"], true);
  EXPECT_EQ(json["command_line"], inputs.command_line);
  EXPECT_EQ(json["start_time"], "2023-11-14T22:13:20Z");
  EXPECT_TRUE(json["end_time"].is_null());

  inputs.end = inputs.start + absl::Milliseconds(90500);
  EXPECT_EQ(Parsed(inputs)["end_time"], "2023-11-14T22:14:50Z");
}

TEST(ManifestTest, SaysHowAndWhere) {
  const nlohmann::json json = Parsed(Inputs());
  EXPECT_THAT(json["build"]["compiler"].get<std::string>(), MatchesRegex("(gcc|clang) [0-9].*"));
  EXPECT_THAT(json["build"]["mode"].get<std::string>(), MatchesRegex("optimized|debug"));
  EXPECT_THAT(json["libraries"]["protobuf"].get<std::string>(), MatchesRegex("[0-9]+\\.[0-9]+.*"));
  EXPECT_THAT(json["libraries"]["abseil"].get<std::string>(), StartsWith("20"));
  EXPECT_EQ(json["host"]["name"], HostName());
  EXPECT_GE(json["host"]["cores"], 1);
}

TEST(ManifestTest, TakesWhatTheCallerKnows) {
  ManifestInputs inputs = Inputs();
  EXPECT_EQ(Parsed(inputs)["run"], nlohmann::json::object());
  inputs.libraries["libtorch"] = "1.13.1";
  inputs.run["partition_fingerprint"] = "00ff";
  inputs.plugins["backend"] = {"mpi", "threads"};
  const nlohmann::json json = Parsed(inputs);
  EXPECT_EQ(json["libraries"]["libtorch"], "1.13.1");
  EXPECT_EQ(json["run"]["partition_fingerprint"], "00ff");
  EXPECT_EQ(json["plugins"]["backend"], (std::vector<std::string>{"mpi", "threads"}));
}

TEST(ManifestTest, UnknownCommitIsNull) {
  ManifestInputs inputs = Inputs();
  inputs.commit = "";
  const nlohmann::json json = Parsed(inputs);
  EXPECT_TRUE(json["starling"]["commit"].is_null());
  EXPECT_TRUE(json["starling"]["dirty"].is_null());
}

TEST(ManifestTest, WorkingDirectoryIsWhereTheUserStands) {
  unsetenv("BUILD_WORKING_DIRECTORY");
  char here[4096];
  ASSERT_NE(getcwd(here, sizeof(here)), nullptr);
  EXPECT_EQ(Parsed(Inputs())["working_directory"], here);
  setenv("BUILD_WORKING_DIRECTORY", "/home/user/study", 1);
  EXPECT_EQ(Parsed(Inputs())["working_directory"], "/home/user/study");
  unsetenv("BUILD_WORKING_DIRECTORY");
}

TEST(ManifestTest, OddBytesOnTheCommandLineAreNoError) {
  ManifestInputs inputs = Inputs();
  inputs.command_line = {"caf\xe9"};
  EXPECT_EQ(Parsed(inputs)["command_line"][0], "caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace starling
