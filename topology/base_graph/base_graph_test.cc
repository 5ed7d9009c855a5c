#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/fraction.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

std::string Ref(int k, bool simple) {
  return absl::StrCat(
      "name: \"base_graph\" config { [type.googleapis.com/starling.BaseGraphConfig] { k: ", k,
      simple ? " simple: true" : "", " } }");
}

INSTANTIATE_TEST_SUITE_P(BaseGraph, TopologyConformance,
                         testing::Values(TopologyCase{"default", R"(name: "base_graph")", AnyWorld},
                                         TopologyCase{"simple", Ref(1, true), AnyWorld},
                                         TopologyCase{"two_peers", Ref(2, false), AnyWorld},
                                         TopologyCase{"many_peers", Ref(2147483647, false),
                                                      AnyWorld}),
                         [](const auto& info) { return info.param.label; });

class BaseGraphExactness : public testing::TestWithParam<int> {};

TEST_P(BaseGraphExactness, AveragesExactlyWithAtMostKPeers) {
  const int k = GetParam();
  for (bool simple : {false, true}) {
    for (int n = 2; n <= 40; ++n) {
      SCOPED_TRACE(absl::StrCat("n = ", n, ", simple = ", simple));
      const auto topology = MakeTopology(Ref(k, simple), n);
      ASSERT_TRUE(topology.ok()) << topology.status();
      FractionProduct product(n);
      for (const MixingRound& round : PeriodOf(**topology)) {
        EXPECT_FALSE(product.IsAverage());
        ASSERT_TRUE(product.Multiply(round));
        EXPECT_TRUE(IsSymmetric(round));
        EXPECT_TRUE(RowsSumToOne(round));
        for (int rank = 0; rank < n; ++rank) {
          EXPECT_LE(round.in(rank).size(), static_cast<size_t>(k) + 1);
        }
      }
      EXPECT_TRUE(product.IsAverage());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Peers, BaseGraphExactness, testing::Values(1, 2, 3, 4));

TEST(BaseGraph, RoundsOfEqualWeightsAreGroups) {
  // So that they are done with one all-reduce per group instead of k messages per worker.
  const auto topology = MakeTopology(Ref(2, false), 6);
  ASSERT_TRUE(topology.ok());
  for (const MixingRound& round : PeriodOf(**topology)) EXPECT_FALSE(round.groups().empty());
}

TEST(BaseGraph, NeedsAPeer) {
  const absl::Status status = MakeTopology(Ref(0, false), 6).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("k is 0; it must be at least 1"));
}

}  // namespace
}  // namespace starling
