#include "topology/conformance.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "topology/analysis.h"
#include "topology/make_topology.h"

namespace starling {
namespace {

constexpr int kLargestWorld = 33;
constexpr int kWorkersPerNode[] = {1, 2, 3, 4, 8};

// in, out and group are views of one W, and groups are partitions with equal weights.
void ExpectConsistent(const MixingRound& round) {
  std::vector<Edge> received, sent;
  for (int rank = 0; rank < round.workers(); ++rank) {
    for (const Edge& edge : round.in(rank)) {
      EXPECT_EQ(edge.to, rank);
      EXPECT_GT(edge.weight, 0);
      received.push_back(edge);
    }
    for (const Edge& edge : round.out(rank)) {
      EXPECT_EQ(edge.from, rank);
      sent.push_back(edge);
    }
    const absl::Span<const int> group = round.group(rank);
    EXPECT_EQ(group.empty(), round.groups().empty());
    if (group.empty()) continue;
    EXPECT_TRUE(std::binary_search(group.begin(), group.end(), rank));
    ASSERT_EQ(round.in(rank).size(), group.size());
    for (size_t i = 0; i < group.size(); ++i) {
      EXPECT_EQ(round.in(rank)[i].from, group[i]);
      EXPECT_EQ(round.in(rank)[i].weight, 1.0 / static_cast<double>(group.size()));
    }
  }
  const auto by_receiver = [](const Edge& a, const Edge& b) {
    return std::pair(a.to, a.from) < std::pair(b.to, b.from);
  };
  EXPECT_TRUE(std::is_sorted(received.begin(), received.end(), by_receiver));
  std::sort(sent.begin(), sent.end(), by_receiver);
  EXPECT_EQ(received, sent);
}

absl::StatusOr<std::unique_ptr<Topology>> Make(int workers, int workers_per_node) {
  return MakeTopology(TopologyConformance::GetParam().ref, workers, workers_per_node);
}

// Holds `topology` to its facts. `again` is a second instance, made in the same way.
void ExpectConformance(const Topology& topology, const Topology& again) {
  const TopologyFacts facts = topology.facts();
  const std::vector<MixingRound> rounds = PeriodOf(topology);
  const int64_t length = static_cast<int64_t>(rounds.size());
  for (int64_t t = 0; t < length; ++t) {
    EXPECT_EQ(rounds[t].workers(), topology.size());
    ExpectConsistent(rounds[t]);
    EXPECT_TRUE(rounds[t] == again.Round(t)) << "not deterministic in round " << t;
    if (facts.period > 0) {
      // Far beyond 32 bits: rounds are steps of long runs.
      const int64_t later = facts.period * int64_t{3'000'000'000} + t;
      EXPECT_TRUE(rounds[t] == topology.Round(later)) << "round " << later;
    }
  }
  for (int64_t shorter = 1; shorter < facts.period; ++shorter) {
    if (facts.period % shorter != 0) continue;
    bool repeats = true;
    for (int64_t t = shorter; t < length; ++t) {
      repeats = repeats && rounds[t] == rounds[t - shorter];
    }
    EXPECT_FALSE(repeats) << "the period is " << shorter << ", not " << facts.period;
  }
  const MixingAnalysis analysis = AnalyzeRounds(rounds);
  EXPECT_EQ(facts.symmetric, analysis.symmetric);
  EXPECT_EQ(facts.rows_sum_to_one, analysis.rows_sum_to_one);
  EXPECT_EQ(facts.columns_sum_to_one, analysis.columns_sum_to_one);
  EXPECT_EQ(facts.exact_after, analysis.exact_after);
}

struct NearestWorlds {
  int below = 0, above = 0;
};

// Reads the nearest legal worlds out of the error.
NearestWorlds ExpectWorldRefused(const absl::Status& status, int workers) {
  NearestWorlds nearest;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_TRUE(absl::StartsWith(message, "topology \"")) << message;
  EXPECT_TRUE(absl::StrContains(message, absl::StrCat(", not ", workers, "; nearest: ")))
      << message;
  const std::vector<std::string> parts = absl::StrSplit(message, "; nearest: ");
  if (parts.size() != 2) return nearest;
  const std::vector<std::string> words = absl::StrSplit(parts[1], absl::ByAnyChar(" ;"));
  EXPECT_TRUE(words.size() >= 3 && words[1] == "or" && absl::SimpleAtoi(words[0], &nearest.below) &&
              absl::SimpleAtoi(words[2], &nearest.above))
      << message;
  EXPECT_LT(nearest.below, workers) << message;
  EXPECT_GT(nearest.above, workers) << message;
  return nearest;
}

template <typename Function>
void ForEachWorld(const Function& function) {
  for (int workers_per_node : kWorkersPerNode) {
    for (int workers = 1; workers <= kLargestWorld; ++workers) {
      SCOPED_TRACE(absl::StrCat(workers, " workers, ", workers_per_node, " per node"));
      function(workers, workers_per_node);
    }
  }
}

TEST_P(TopologyConformance, ServesExactlyTheLegalWorlds) {
  ForEachWorld([](int workers, int workers_per_node) {
    const auto topology = Make(workers, workers_per_node);
    if (GetParam().legal(workers, workers_per_node)) {
      ASSERT_TRUE(topology.ok()) << topology.status();
      EXPECT_EQ((*topology)->size(), workers);
      return;
    }
    const NearestWorlds nearest = ExpectWorldRefused(topology.status(), workers);
    for (int n = std::max(1, nearest.below); n <= nearest.above; ++n) {
      const bool named = n == nearest.below || n == nearest.above;
      EXPECT_EQ(Make(n, workers_per_node).ok(), named) << n;
    }
  });
}

TEST_P(TopologyConformance, IsWhatItSays) {
  ForEachWorld([](int workers, int workers_per_node) {
    if (!GetParam().legal(workers, workers_per_node)) return;
    const auto topology = Make(workers, workers_per_node);
    const auto again = Make(workers, workers_per_node);
    ASSERT_TRUE(topology.ok()) << topology.status();
    ASSERT_TRUE(again.ok()) << again.status();
    ExpectConformance(**topology, **again);
  });
}

TEST_P(TopologyConformance, OneWorkerKeepsItsValue) {
  for (int workers_per_node : kWorkersPerNode) {
    const auto topology = Make(1, workers_per_node);
    ASSERT_TRUE(topology.ok()) << topology.status();
    EXPECT_EQ((*topology)->facts().exact_after, 1);
    EXPECT_EQ(DenseWeights((*topology)->Round(0)), std::vector<double>{1});
  }
}

}  // namespace
}  // namespace starling
