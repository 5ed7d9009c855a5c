#include "topology/repair.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "glog/logging.h"
#include "topology/analysis.h"

namespace starling {
namespace {

constexpr int kLargestAnalyzedWorld = 256;

// W by row and by column.
class SparseMatrix {
 public:
  explicit SparseMatrix(const MixingRound& round)
      : rows_(round.workers()), columns_(round.workers()) {
    for (int rank = 0; rank < round.workers(); ++rank) {
      for (const Edge& edge : round.in(rank)) Add(edge.to, edge.from, edge.weight);
    }
  }

  // Has worker d stand alone; columns sum to one, or else rows.
  void Eliminate(int d, bool columns_sum_to_one) {
    std::map<int, double> gets = std::move(rows_[d]), gives = std::move(columns_[d]);
    gets.erase(d);
    gives.erase(d);
    for (const auto& [from, weight] : gets) columns_[from].erase(d);
    for (const auto& [to, weight] : gives) rows_[to].erase(d);
    double passed_on = 0;
    for (const auto& [rank, weight] : columns_sum_to_one ? gives : gets) passed_on += weight;
    for (const auto& [to, given] : gives) {
      for (const auto& [from, got] : gets) {
        if (passed_on > 0) Add(to, from, given * got / passed_on);
      }
    }
    // What d would have kept for good stays with those it comes from, or whom it would go to.
    if (passed_on == 0) {
      for (const auto& [rank, weight] : columns_sum_to_one ? gets : gives) Add(rank, rank, weight);
    }
    rows_[d] = columns_[d] = {{d, 1.0}};
  }

  MixingRound Round() const {
    std::vector<Edge> edges;
    for (size_t to = 0; to < rows_.size(); ++to) {
      for (const auto& [from, weight] : rows_[to]) {
        edges.push_back({static_cast<int>(to), from, weight});
      }
    }
    return MixingRound::FromEdges(static_cast<int>(rows_.size()), std::move(edges));
  }

 private:
  void Add(int to, int from, double weight) { columns_[from][to] = rows_[to][from] += weight; }

  std::vector<std::map<int, double>> rows_, columns_;
};

MixingRound Repaired(const MixingRound& round, const std::vector<bool>& alive,
                     bool columns_sum_to_one) {
  const int n = round.workers();
  if (round.groups().empty()) {
    SparseMatrix w(round);
    for (int rank = 0; rank < n; ++rank) {
      if (!alive[rank]) w.Eliminate(rank, columns_sum_to_one);
    }
    return w.Round();
  }
  std::vector<std::vector<int>> groups;
  for (const std::vector<int>& group : round.groups()) {
    std::vector<int> living;
    for (int rank : group) {
      if (alive[rank]) living.push_back(rank);
      if (!alive[rank]) groups.push_back({rank});
    }
    if (!living.empty()) groups.push_back(std::move(living));
  }
  return MixingRound::FromGroups(n, std::move(groups));
}

// The round in which parts that have lost each other average; empty if there is one part only.
std::vector<std::vector<int>> LinkingGroups(absl::Span<const MixingRound> rounds,
                                            const std::vector<bool>& alive) {
  std::vector<int> lowest;
  for (const std::vector<int>& part : Components(rounds)) {
    if (alive[part[0]]) lowest.push_back(part[0]);
  }
  if (lowest.size() < 2) return {};
  std::vector<std::vector<int>> groups;
  for (int rank = 0; rank < static_cast<int>(alive.size()); ++rank) {
    if (!std::binary_search(lowest.begin(), lowest.end(), rank)) groups.push_back({rank});
  }
  groups.push_back(std::move(lowest));
  return groups;
}

// Messages to others in one round, at most.
size_t MostMessages(const std::vector<MixingRound>& rounds) {
  size_t most = 0;
  for (const MixingRound& round : rounds) {
    for (int rank = 0; rank < round.workers(); ++rank) {
      size_t others = 0;
      for (const Edge& edge : round.out(rank)) others += edge.to != rank;
      most = std::max(most, others);
    }
  }
  return most;
}

// By which factor disagreement shrinks per round at least.
double Contraction(const std::vector<MixingRound>& rounds) {
  return std::pow(AnalyzeRounds(rounds).rho, 1.0 / static_cast<double>(rounds.size()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Topology>> RepairTopology(const Topology& topology,
                                                         const std::vector<bool>& alive) {
  const int n = topology.size();
  CHECK_EQ(static_cast<int>(alive.size()), n);
  CHECK(std::find(alive.begin(), alive.end(), true) != alive.end()) << "nobody is alive";
  TopologyFacts facts = topology.facts();
  if (facts.period == 0) {
    return absl::FailedPreconditionError(
        "a topology that never repeats cannot be repaired when workers leave; use one with a "
        "period, e.g. \"exponential\"");
  }
  std::vector<MixingRound> rounds;
  for (int64_t t = 0; t < facts.period; ++t) {
    rounds.push_back(Repaired(topology.Round(t), alive, facts.columns_sum_to_one));
  }
  std::vector<std::vector<int>> linking = LinkingGroups(rounds, alive);
  if (!linking.empty()) rounds.push_back(MixingRound::FromGroups(n, std::move(linking)));
  const bool complete = std::find(alive.begin(), alive.end(), false) == alive.end();
  if (!complete) facts.exact_after = 0;
  return std::make_unique<PeriodicTopology>(n, std::move(rounds), facts);
}

std::vector<MixingRound> AmongLiving(absl::Span<const MixingRound> rounds,
                                     const std::vector<bool>& alive) {
  std::vector<int> number(alive.size());
  int living = 0;
  for (size_t rank = 0; rank < alive.size(); ++rank) number[rank] = living += alive[rank];
  std::vector<MixingRound> among;
  for (const MixingRound& round : rounds) {
    std::vector<Edge> edges;
    std::vector<std::vector<int>> groups;
    for (int to = 0; to < round.workers(); ++to) {
      if (!alive[to]) continue;
      for (const Edge& edge : round.in(to)) {
        if (alive[edge.from]) edges.push_back({number[to] - 1, number[edge.from] - 1, edge.weight});
      }
    }
    for (const std::vector<int>& group : round.groups()) {
      std::vector<int> members;
      for (int rank : group) {
        if (alive[rank]) members.push_back(number[rank] - 1);
      }
      if (!members.empty()) groups.push_back(std::move(members));
    }
    among.push_back(groups.empty() ? MixingRound::FromEdges(living, std::move(edges))
                                   : MixingRound::FromGroups(living, std::move(groups)));
  }
  return among;
}

std::string RepairCost(const Topology& before, const Topology& repaired,
                       const std::vector<bool>& alive) {
  const std::vector<MixingRound> whole = PeriodOf(before);
  const std::vector<MixingRound> rounds = AmongLiving(PeriodOf(repaired), alive);
  const std::string messages = absl::StrCat("up to ", MostMessages(rounds), " messages");
  const TopologyFacts facts = before.facts();
  if (!facts.rows_sum_to_one || !facts.columns_sum_to_one ||
      before.size() > kLargestAnalyzedWorld) {
    return messages;
  }
  return absl::StrFormat("disagreement shrinks to %.3f per round, of all to %.3f; %s",
                         Contraction(rounds), Contraction(whole), messages);
}

}  // namespace starling
