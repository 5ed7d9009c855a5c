#include <fstream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Ref(const std::string& path) {
  return absl::StrCat("name: \"from_file\" config { ",
                      "[type.googleapis.com/starling.FromFileConfig] { path: \"", path, "\" } }");
}

// Writes `text` to a file of this name and refers to it.
std::string RefTo(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path) << text;
  return Ref(path);
}

// One edge: legal for every world, and complete, connected or neither.
INSTANTIATE_TEST_SUITE_P(FromFile, TopologyConformance,
                         testing::Values(TopologyCase{"one_edge", RefTo("one_edge.txt", "0 1\n"),
                                                      AnyWorld}));

TEST(FromFile, GivesMetropolisWeights) {
  const auto topology = MakeTopology(RefTo("path.txt", "0 1\n1 2\n"), 3);
  ASSERT_TRUE(topology.ok()) << topology.status();
  const auto third = DoubleEq(1.0 / 3), rest = DoubleEq(2.0 / 3);
  EXPECT_THAT(DenseWeights((*topology)->Round(0)),
              ElementsAre(rest, third, 0, third, third, third, 0, third, rest));
}

TEST(FromFile, ACompleteGraphIsExact) {
  const auto topology = MakeTopology(RefTo("triangle.txt", "0 1\n1 2\n2 0\n"), 3);
  ASSERT_TRUE(topology.ok()) << topology.status();
  EXPECT_EQ((*topology)->facts().exact_after, 1);
  EXPECT_EQ(ExactAfter(PeriodOf(**topology)), 1);
}

TEST(FromFile, ServesGraphsThatAreNotConnected) {
  const auto topology = MakeTopology(RefTo("parts.txt", "0 1\n2 3\n"), 5);
  ASSERT_TRUE(topology.ok()) << topology.status();
  const MixingAnalysis analysis = AnalyzeRounds(PeriodOf(**topology));
  EXPECT_EQ(analysis.components, 3);
  EXPECT_NEAR(analysis.rho, 1, 1e-12);
}

TEST(FromFile, NeedsAPath) {
  const absl::Status status = MakeTopology(R"(name: "from_file")", 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "topology \"from_file\" needs the path of an edge list: config { path: \"FILE\" }");
}

TEST(FromFile, NamesTheFileThatIsMissing) {
  const absl::Status status = MakeTopology(Ref("/nowhere/graph.txt"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot read /nowhere/graph.txt"));
}

TEST(FromFile, NamesAbsolutelyWhatWasGivenRelatively) {
  EXPECT_THAT(std::string(MakeTopology(Ref("graph.txt"), 4).status().message()),
              testing::ContainsRegex("cannot read /.+/graph.txt"));
}

TEST(FromFile, RefusesADirectory) {
  const absl::Status status = MakeTopology(Ref(testing::TempDir()), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is a directory"));
}

TEST(FromFile, NamesTheLineOfAWorkerThatDoesNotExist) {
  const absl::Status status = MakeTopology(RefTo("large.txt", "0 1\n1 7\n"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("large.txt:2: worker 7 is out of range; the workers are 0 to 3"));
}

}  // namespace
}  // namespace starling
