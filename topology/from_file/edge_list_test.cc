#include "topology/from_file/edge_list.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/random/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string ErrorOf(const std::string& text) {
  const absl::Status status = ParseEdgeList(text, "g.txt", 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(EdgeList, ReadsEdgesCommentsAndBlankLines) {
  const auto edges = ParseEdgeList("# a path\n\n0 1\n\t2   1  # back\r\n3 2", "g.txt", 4);
  ASSERT_TRUE(edges.ok()) << edges.status();
  EXPECT_THAT(*edges, ElementsAre(Pair(0, 1), Pair(1, 2), Pair(2, 3)));
}

TEST(EdgeList, CountsRepeatedEdgesOnce) {
  const auto edges = ParseEdgeList("0 1\n1 0\n0 1\n", "g.txt", 4);
  ASSERT_TRUE(edges.ok()) << edges.status();
  EXPECT_THAT(*edges, ElementsAre(Pair(0, 1)));
}

TEST(EdgeList, ErrorsNameFileLineAndWhatWouldBeRight) {
  EXPECT_EQ(ErrorOf("0 1\n2 4\n"), "g.txt:2: worker 4 is out of range; the workers are 0 to 3");
  EXPECT_EQ(ErrorOf("0 -1"), "g.txt:1: worker -1 is out of range; the workers are 0 to 3");
  EXPECT_EQ(ErrorOf("\n\n0 one # x"),
            "g.txt:3: expected an edge, two worker numbers like \"0 1\", not \"0 one \"");
  EXPECT_THAT(ErrorOf("0 1 0.5"), HasSubstr("not \"0 1 0.5\""));
  EXPECT_THAT(ErrorOf("0"), HasSubstr("not \"0\""));
  EXPECT_THAT(ErrorOf("0 99999999999999999999"), HasSubstr("expected an edge"));
  EXPECT_EQ(ErrorOf("2 2"),
            "g.txt:1: an edge from worker 2 to itself; own weights need no edge, leave it out");
  EXPECT_EQ(ErrorOf("# nothing\n"),
            "g.txt: no edges; expected one per line, two worker numbers like \"0 1\"");
}

TEST(EdgeList, ShowsStrangeBytesReadablyAndCut) {
  const std::string message = ErrorOf(std::string("\0\x01\xff", 3) + std::string(100, 'x'));
  EXPECT_THAT(message, HasSubstr("\\x00\\x01\\xff"));
  EXPECT_THAT(message, HasSubstr("...\""));
  EXPECT_LT(message.size(), 200u);
}

TEST(EdgeList, SurvivesRandomBytes) {
  // Any bytes, and bytes of which edge lists are made.
  const std::string common = "0123 \t\n\r#-+.x";
  for (int64_t trial = 0; trial < 5000; ++trial) {
    Random random(StreamKey(1, Purpose::kTest, 0, trial));
    std::string text(random.Below(60), ' ');
    for (char& c : text) {
      c = trial % 2 == 0 ? static_cast<char>(random.Below(256))
                         : common[random.Below(static_cast<int64_t>(common.size()))];
    }
    const auto edges = ParseEdgeList(text, "g.txt", 4);
    if (edges.ok()) {
      for (const auto& [a, b] : *edges) EXPECT_TRUE(0 <= a && a < b && b < 4);
    } else {
      EXPECT_EQ(edges.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(edges.status().message()), testing::StartsWith("g.txt:"));
    }
  }
}

}  // namespace
}  // namespace starling
