#include "topology/topology.h"

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace starling {

// Edges twice, by receiver and by sender, each with the start of every worker's edges.
struct MixingRound::Data {
  std::vector<Edge> by_receiver, by_sender;
  std::vector<int64_t> in_start, out_start;  // workers + 1 entries
  std::vector<std::vector<int>> groups;
  std::vector<int> group_of;
};

MixingRound MixingRound::FromEdges(int workers, std::vector<Edge> edges) {
  CHECK_GE(workers, 1);
  auto data = std::make_shared<Data>();
  data->in_start.assign(workers + 1, 0);
  data->out_start.assign(workers + 1, 0);
  for (const Edge& edge : edges) {
    CHECK(edge.to >= 0 && edge.to < workers && edge.from >= 0 && edge.from < workers);
    CHECK_GT(edge.weight, 0) << "edge " << edge.from << " -> " << edge.to;
    ++data->in_start[edge.to + 1];
    ++data->out_start[edge.from + 1];
  }
  for (int i = 0; i < workers; ++i) {
    data->in_start[i + 1] += data->in_start[i];
    data->out_start[i + 1] += data->out_start[i];
  }
  data->by_sender = edges;
  std::sort(data->by_sender.begin(), data->by_sender.end(), [](const Edge& a, const Edge& b) {
    return std::pair(a.from, a.to) < std::pair(b.from, b.to);
  });
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::pair(a.to, a.from) < std::pair(b.to, b.from);
  });
  for (size_t i = 1; i < edges.size(); ++i) {
    CHECK(edges[i - 1].to != edges[i].to || edges[i - 1].from != edges[i].from)
        << "edge " << edges[i].from << " -> " << edges[i].to << " stands twice";
  }
  data->by_receiver = std::move(edges);
  return MixingRound(std::move(data));
}

MixingRound MixingRound::FromGroups(int workers, std::vector<std::vector<int>> groups) {
  std::vector<int> group_of(workers, -1);
  std::vector<Edge> edges;
  for (size_t index = 0; index < groups.size(); ++index) {
    std::vector<int>& group = groups[index];
    CHECK(!group.empty());
    std::sort(group.begin(), group.end());
    const double weight = 1.0 / static_cast<double>(group.size());
    for (int to : group) {
      CHECK(to >= 0 && to < workers && group_of[to] == -1) << "worker " << to;
      group_of[to] = static_cast<int>(index);
      for (int from : group) edges.push_back({to, from, weight});
    }
  }
  for (int rank = 0; rank < workers; ++rank) CHECK_NE(group_of[rank], -1) << "worker " << rank;
  MixingRound round = FromEdges(workers, std::move(edges));
  auto data = std::make_shared<Data>(*round.data_);
  data->groups = std::move(groups);
  data->group_of = std::move(group_of);
  return MixingRound(std::move(data));
}

int MixingRound::workers() const { return static_cast<int>(data_->in_start.size()) - 1; }

absl::Span<const Edge> MixingRound::in(int rank) const {
  const int64_t start = data_->in_start[rank];
  return absl::MakeConstSpan(data_->by_receiver).subspan(start, data_->in_start[rank + 1] - start);
}

absl::Span<const Edge> MixingRound::out(int rank) const {
  const int64_t start = data_->out_start[rank];
  return absl::MakeConstSpan(data_->by_sender).subspan(start, data_->out_start[rank + 1] - start);
}

absl::Span<const int> MixingRound::group(int rank) const {
  if (data_->groups.empty()) return {};
  return data_->groups[data_->group_of[rank]];
}

absl::Span<const std::vector<int>> MixingRound::groups() const { return data_->groups; }

bool operator==(const MixingRound& a, const MixingRound& b) {
  if (a.workers() != b.workers()) return false;
  for (int rank = 0; rank < a.workers(); ++rank) {
    if (a.in(rank) != b.in(rank) || a.group(rank) != b.group(rank)) return false;
  }
  return true;
}

PeriodicTopology::PeriodicTopology(int workers, std::vector<MixingRound> rounds,
                                   TopologyFacts facts)
    : workers_(workers), rounds_(std::move(rounds)), facts_(facts) {
  CHECK(!rounds_.empty());
  for (const MixingRound& round : rounds_) CHECK_EQ(round.workers(), workers_);
  facts_.period = static_cast<int64_t>(rounds_.size());
}

MixingRound PeriodicTopology::Round(int64_t round) const {
  CHECK_GE(round, 0);
  return rounds_[round % facts_.period];
}

}  // namespace starling
