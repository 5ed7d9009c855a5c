#include "topology/verify.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "topology/analysis.h"

namespace starling {
namespace {

// "worker 3", "workers 0-3, 6"; of many scattered ones only the first.
std::string WorkersText(const std::vector<int>& ranks) {
  constexpr int kMaxRanges = 8;
  std::string text = ranks.size() == 1 ? "worker " : "workers ";
  int ranges = 0;
  for (size_t begin = 0, end = 0; begin < ranks.size(); begin = end) {
    while (end < ranks.size() && ranks[end] - ranks[begin] == static_cast<int>(end - begin)) ++end;
    if (ranges++ > 0) absl::StrAppend(&text, ", ");
    if (ranges > kMaxRanges) return absl::StrCat(text, "... (", ranks.size(), " in all)");
    absl::StrAppend(&text, ranks[begin]);
    if (end - begin > 1) absl::StrAppend(&text, "-", ranks[end - 1]);
  }
  return text;
}

// What does not hold of `sums`, which should all be one; empty if nothing.
std::string WrongSum(const std::vector<double>& sums, absl::string_view what) {
  for (size_t rank = 0; rank < sums.size(); ++rank) {
    if (std::abs(sums[rank] - 1) <= kWeightTolerance) continue;
    return absl::StrFormat("%s worker %d sum to %.15g", what, rank, sums[rank]);
  }
  return "";
}

double WeightOf(const MixingRound& round, int to, int from) {
  for (const Edge& edge : round.in(to)) {
    if (edge.from == from) return edge.weight;
  }
  return 0;
}

std::string WrongPair(const MixingRound& round) {
  for (int to = 0; to < round.workers(); ++to) {
    for (const Edge& edge : round.in(to)) {
      const double back = WeightOf(round, edge.from, to);
      if (std::abs(edge.weight - back) <= kWeightTolerance) continue;
      return absl::StrFormat("worker %d takes %.15g of worker %d, which takes %.15g of it", to,
                             edge.weight, edge.from, back);
    }
  }
  return "";
}

// Who is reached from worker 0 along the edges of `rounds`, or against them.
std::vector<bool> Reached(absl::Span<const MixingRound> rounds, bool forward) {
  std::vector<bool> reached(rounds[0].workers());
  std::vector<int> fresh = {0};
  reached[0] = true;
  while (!fresh.empty()) {
    const int rank = fresh.back();
    fresh.pop_back();
    for (const MixingRound& round : rounds) {
      for (const Edge& edge : forward ? round.out(rank) : round.in(rank)) {
        const int next = forward ? edge.to : edge.from;
        if (reached[next]) continue;
        reached[next] = true;
        fresh.push_back(next);
      }
    }
  }
  return reached;
}

bool AnyEdge(absl::Span<const MixingRound> rounds, const std::vector<int>& from,
             const std::vector<bool>& to) {
  for (const MixingRound& round : rounds) {
    for (int rank : from) {
      for (const Edge& edge : round.out(rank)) {
        if (to[edge.to]) return true;
      }
    }
  }
  return false;
}

// Two groups of which one never hears of the other; empty if there are none.
std::string Separation(absl::Span<const MixingRound> rounds, absl::string_view when) {
  for (const bool forward : {true, false}) {
    const std::vector<bool> reached = Reached(rounds, forward);
    std::vector<int> here, there;
    for (int rank = 0; rank < static_cast<int>(reached.size()); ++rank) {
      (reached[rank] ? here : there).push_back(rank);
    }
    if (there.empty()) continue;
    // Going forward, no edge leads from here to there; going backward, none from there to here.
    std::vector<bool> beyond = reached;
    beyond.flip();
    const bool neither =
        forward ? !AnyEdge(rounds, there, reached) : !AnyEdge(rounds, here, beyond);
    if (neither) {
      return absl::StrCat(WorkersText(here), " and ", WorkersText(there), " exchange nothing in ",
                          when, ", so they never agree");
    }
    return absl::StrCat("nothing gets from ", WorkersText(forward ? here : there), " to ",
                        WorkersText(forward ? there : here), " in ", when, ", so they never agree");
  }
  return "";
}

std::string Problem(const Topology& topology, int workers) {
  if (topology.size() != workers) {
    return absl::StrCat("it is made for ", topology.size(), " workers, not for the ", workers,
                        " of this world");
  }
  const TopologyFacts facts = topology.facts();
  const std::vector<MixingRound> rounds = PeriodOf(topology);
  for (size_t t = 0; t < rounds.size(); ++t) {
    if (rounds[t].workers() != workers) {
      return absl::StrCat("round ", t, " is made for ", rounds[t].workers(),
                          " workers, not for the ", workers, " of this world");
    }
    std::string wrong;
    const auto claims = [&](absl::string_view claim) {
      return absl::StrCat("it claims that ", claim, ", but in round ", t, " ", wrong);
    };
    if (facts.rows_sum_to_one) {
      wrong = WrongSum(RowSums(rounds[t]), "the weights of what reaches");
      if (!wrong.empty()) return claims("rows sum to one");
    }
    if (facts.columns_sum_to_one) {
      wrong = WrongSum(ColumnSums(rounds[t]), "the weights of what comes from");
      if (!wrong.empty()) return claims("columns sum to one");
    }
    if (facts.symmetric && !IsSymmetric(rounds[t])) {
      wrong = WrongPair(rounds[t]);
      return claims("weights are symmetric");
    }
    if (facts.period > 0 && topology.Round(facts.period + t) != rounds[t]) {
      return absl::StrCat("it claims to repeat after ", facts.period, " rounds, but round ",
                          facts.period + t, " is not round ", t);
    }
  }
  const std::string when = facts.period == 0 ? absl::StrCat("its first ", rounds.size(), " rounds")
                           : facts.period == 1 ? "its round"
                                               : absl::StrCat("its ", facts.period, " rounds");
  return Separation(rounds, when);
}

}  // namespace

absl::Status VerifyTopology(const Topology& topology, absl::string_view name, int workers) {
  const std::string problem = Problem(topology, workers);
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("topology \"", name, "\": ", problem));
}

}  // namespace starling
