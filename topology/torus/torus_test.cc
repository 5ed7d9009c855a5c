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

using ::testing::ElementsAre;

std::string Rows(int rows) {
  return absl::StrCat(
      "name: \"torus\" config { [type.googleapis.com/starling.TorusConfig] { rows: ", rows, " } }");
}

INSTANTIATE_TEST_SUITE_P(Torus, TopologyConformance,
                         testing::Values(TopologyCase{"default", R"(name: "torus")", AnyWorld},
                                         TopologyCase{
                                             "three_rows", Rows(3),
                                             [](int n, int) { return n == 1 || n % 3 == 0; }}),
                         [](const auto& info) { return info.param.label; });

std::vector<int> Neighbours(const std::string& ref, int n, int rank) {
  const auto topology = MakeTopology(ref, n);
  EXPECT_TRUE(topology.ok()) << topology.status();
  std::vector<int> neighbours;
  for (const Edge& edge : (*topology)->Round(0).in(rank)) {
    if (edge.from != rank) neighbours.push_back(edge.from);
  }
  return neighbours;
}

TEST(Torus, IsAsSquareAsPossible) {
  EXPECT_THAT(Neighbours(R"(name: "torus")", 12, 0), ElementsAre(1, 3, 4, 8));  // 3 x 4
  EXPECT_THAT(Neighbours(R"(name: "torus")", 16, 5), ElementsAre(1, 4, 6, 9));  // 4 x 4
}

TEST(Torus, RowsCanBeChosen) {
  EXPECT_THAT(Neighbours(Rows(2), 12, 0), ElementsAre(1, 5, 6));  // 2 x 6
  EXPECT_THAT(Neighbours(Rows(1), 12, 0), ElementsAre(1, 11));    // a ring
  EXPECT_THAT(Neighbours(Rows(12), 12, 0), ElementsAre(1, 11));   // the same
}

TEST(Torus, PrimeNumbersMakeARing) {
  EXPECT_THAT(Neighbours(R"(name: "torus")", 7, 0), ElementsAre(1, 6));
}

TEST(Torus, FifthsEverywhere) {
  const auto topology = MakeTopology(R"(name: "torus")", 9);
  ASSERT_TRUE(topology.ok());
  for (int rank = 0; rank < 9; ++rank) {
    for (const Edge& edge : (*topology)->Round(0).in(rank)) {
      EXPECT_DOUBLE_EQ(edge.weight, 0.2);
    }
  }
}

TEST(Torus, RowsMustDivideTheWorld) {
  EXPECT_EQ(MakeTopology(Rows(3), 7).status().message(),
            "topology \"torus\" needs a multiple of rows = 3 workers, not 7; nearest: 6 or 9");
}

TEST(Torus, RowsMustNotBeNegative) {
  const absl::Status status = MakeTopology(Rows(-1), 7).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("rows is -1"));
}

}  // namespace
}  // namespace starling
