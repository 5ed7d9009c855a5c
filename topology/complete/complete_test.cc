#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "topology/analysis.h"
#include "topology/conformance.h"
#include "topology/make_topology.h"
#include "topology/topology.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(Complete, TopologyConformance,
                         testing::Values(TopologyCase{"complete", R"(name: "complete")",
                                                      AnyWorld}));

TEST(Complete, AveragesEverybodyAtOnce) {
  for (int n : {2, 3, 8}) {
    const auto topology = MakeTopology(R"(name: "complete")", n);
    ASSERT_TRUE(topology.ok());
    EXPECT_EQ((*topology)->facts().exact_after, 1);
    EXPECT_EQ((*topology)->Round(5).groups().size(), 1u);
    EXPECT_THAT(DenseWeights((*topology)->Round(0)), testing::Each(1.0 / n));
  }
}

}  // namespace
}  // namespace starling
