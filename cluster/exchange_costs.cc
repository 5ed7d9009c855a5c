#include "cluster/exchange_costs.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "glog/logging.h"

namespace starling {
namespace {

double MsPerMb(double gbps) { return 8 / gbps; }

}  // namespace

ExchangeCosts::ExchangeCosts(const ClusterSpec& cluster, int workers)
    : cluster_(cluster),
      workers_(workers),
      nodes_((workers + cluster.workers_per_node() - 1) / cluster.workers_per_node()) {
  std::vector<int> first_node;  // of each site that is used
  for (int node = 0; node < nodes_; ++node) {
    const int site = SiteOfNode(cluster, node);
    site_.push_back(site);
    if (site == static_cast<int>(first_node.size())) first_node.push_back(node);
  }
  link_.resize(first_node.size(), std::vector<Link>(first_node.size()));
  for (size_t a = 0; a < first_node.size(); ++a) {
    for (size_t b = 0; b < first_node.size(); ++b) {
      link_[a][b] = LinkBetween(cluster, first_node[a], first_node[b]);
    }
  }
}

const Link& ExchangeCosts::LinkOf(int node_a, int node_b) const {
  return link_[site_[node_a]][site_[node_b]];
}

double ExchangeCosts::CardGbps(int sharing) const {
  return cluster_.nic_gbps() / (cluster_.half_duplex() ? 2 * sharing : sharing);
}

std::vector<ExchangeCosts::Part> ExchangeCosts::PartsOf(const std::vector<int>& group) const {
  std::vector<Part> parts;
  for (const int worker : group) {
    if (parts.empty() || parts.back().node != NodeOf(worker)) parts.push_back({NodeOf(worker), 0});
    ++parts.back().members;
  }
  return parts;
}

Link ExchangeCosts::WorstLink(const std::vector<Part>& parts) const {
  // Pairs of sites, not of machines: there may be hundreds of those.
  std::vector<int> machines(link_.size(), 0);
  for (const Part& part : parts) ++machines[site_[part.node]];
  Link worst{0, 0};
  for (size_t a = 0; a < link_.size(); ++a) {
    for (size_t b = a; b < link_.size(); ++b) {
      if (machines[a] == 0 || machines[b] == 0 || (a == b && machines[a] < 2)) continue;
      const Link& link = link_[a][b];
      worst.gbps = worst.gbps == 0 ? link.gbps : std::min(worst.gbps, link.gbps);
      worst.latency_us = std::max(worst.latency_us, link.latency_us);
    }
  }
  return worst;
}

ExchangeCost ExchangeCosts::RingCost(const std::vector<Part>& parts, int m, int sharing) const {
  double gbps = cluster_.node_gbps();
  double latency_us = 0;  // of the links between machines, once around
  if (parts.size() > 1) {
    gbps = CardGbps(sharing);
    for (size_t i = 0; i < parts.size(); ++i) {
      const Link& link = LinkOf(parts[i].node, parts[(i + 1) % parts.size()].node);
      gbps = std::min(gbps, link.gbps);
      latency_us += link.latency_us;
    }
    if (m > static_cast<int>(parts.size())) gbps = std::min(gbps, cluster_.node_gbps());
  }
  const double passes = 2.0 * (m - 1) / m;
  ExchangeCost cost;
  cost.latency_ms = (2 * (m - 1) * cluster_.hop_latency_us() + passes * latency_us) / 1000;
  cost.ms_per_mb = passes * MsPerMb(gbps);
  return cost;
}

ExchangeCost ExchangeCosts::TwoLevelCost(const std::vector<Part>& parts, int m, int sharing) const {
  const int p = parts[0].members;
  const double machines = static_cast<double>(parts.size());
  const bool equal =
      std::all_of(parts.begin(), parts.end(), [&](const Part& part) { return part.members == p; });
  if (!equal) return DirectCost(parts, m, sharing);
  ExchangeCost cost;
  if (p > 1) {
    cost.latency_ms += 2 * cluster_.hop_latency_us() / 1000;
    cost.ms_per_mb += 2.0 * (p - 1) / p * MsPerMb(cluster_.node_gbps());
  }
  if (parts.size() > 1) {
    const Link worst = WorstLink(parts);
    cost.latency_ms += 2 * (cluster_.hop_latency_us() + worst.latency_us) / 1000;
    cost.ms_per_mb += 2 * (machines - 1) / machines *
                      MsPerMb(std::min(p * (machines - 1) * worst.gbps, CardGbps(sharing)));
  }
  return cost;
}

ExchangeCost ExchangeCosts::DirectCost(const std::vector<Part>& parts, int m, int sharing) const {
  const Link worst = WorstLink(parts);
  ExchangeCost cost;
  cost.latency_ms = 2 * (cluster_.hop_latency_us() + worst.latency_us) / 1000;
  cost.ms_per_mb = 2.0 / m * MsPerMb(worst.gbps);  // a pair's piece, there and back
  for (const Part& part : parts) {
    const double p = part.members;
    cost.ms_per_mb = std::max({cost.ms_per_mb, 2 * p * (m - p) / m * MsPerMb(CardGbps(sharing)),
                               2 * (p - 1) / m * MsPerMb(cluster_.node_gbps())});
  }
  return cost;
}

RoundCosts ExchangeCosts::OfGroups(const std::vector<std::vector<int>>& groups) const {
  std::vector<std::vector<Part>> parts;
  std::vector<int> crossing(nodes_, 0);  // groups that go through a machine's card
  for (const std::vector<int>& group : groups) {
    parts.push_back(PartsOf(group));
    if (parts.back().size() < 2) continue;
    for (const Part& part : parts.back()) ++crossing[part.node];
  }
  RoundCosts round;
  round.groups = true;
  round.begin.push_back(0);
  for (size_t g = 0; g < groups.size(); ++g) {
    int sharing = 0;
    for (const Part& part : parts[g]) sharing = std::max(sharing, crossing[part.node]);
    const int m = static_cast<int>(groups[g].size());
    ExchangeCost cost;
    if (m > 1) {
      cost = cluster_.collective() == ClusterSpec::RING ? RingCost(parts[g], m, sharing)
                                                        : TwoLevelCost(parts[g], m, sharing);
      cost.latency_ms += cluster_.collective_latency_us() / 1000;
    }
    round.cost.push_back(cost);
    round.members.insert(round.members.end(), groups[g].begin(), groups[g].end());
    round.begin.push_back(static_cast<int>(round.members.size()));
  }
  return round;
}

RoundCosts ExchangeCosts::OfEdges(const MixingRound& round) const {
  std::vector<int> sent(nodes_, 0), received(nodes_, 0);  // messages through each card
  const auto crosses = [&](const Edge& edge) { return NodeOf(edge.from) != NodeOf(edge.to); };
  for (int worker = 0; worker < workers_; ++worker) {
    for (const Edge& edge : round.in(worker)) {
      if (!crosses(edge)) continue;
      ++sent[NodeOf(edge.from)];
      ++received[NodeOf(edge.to)];
    }
  }
  const auto load = [&](int node, bool sends) {
    return cluster_.half_duplex() ? sent[node] + received[node]
                                  : (sends ? sent[node] : received[node]);
  };
  RoundCosts costs;
  costs.begin.push_back(0);
  for (int worker = 0; worker < workers_; ++worker) {
    double slowest = 0, latency_us = -1;  // of its messages across machines
    const auto add = [&](absl::Span<const Edge> edges) {
      int inside = 0;
      for (const Edge& edge : edges) {
        if (edge.from == edge.to) continue;
        latency_us = std::max(latency_us, 0.0);
        if (!crosses(edge)) {
          ++inside;
          continue;
        }
        const int from = NodeOf(edge.from), to = NodeOf(edge.to);
        const Link& link = LinkOf(from, to);
        const int busier = std::max(load(from, true), load(to, false));
        slowest = std::max(slowest, MsPerMb(std::min(link.gbps, cluster_.nic_gbps() / busier)));
        latency_us = std::max(latency_us, link.latency_us);
      }
      slowest = std::max(slowest, inside * MsPerMb(cluster_.node_gbps()));
    };
    add(round.in(worker));
    add(round.out(worker));
    ExchangeCost cost;
    if (latency_us >= 0) {
      cost.latency_ms =
          (cluster_.collective_latency_us() + cluster_.hop_latency_us() + latency_us) / 1000;
      cost.ms_per_mb = slowest;
    }
    costs.cost.push_back(cost);
    bool self = false;
    for (const Edge& edge : round.in(worker)) {
      costs.members.push_back(edge.from);
      self |= edge.from == worker;
    }
    if (!self) costs.members.push_back(worker);
    costs.begin.push_back(static_cast<int>(costs.members.size()));
  }
  return costs;
}

RoundCosts ExchangeCosts::OfRound(const MixingRound& round, bool groups_as_edges) const {
  CHECK_EQ(round.workers(), workers_);
  if (groups_as_edges || round.groups().empty()) return OfEdges(round);
  return OfGroups({round.groups().begin(), round.groups().end()});
}

RoundCosts ExchangeCosts::OfEveryone() const {
  std::vector<int> everyone(workers_);
  std::iota(everyone.begin(), everyone.end(), 0);
  return OfGroups({everyone});
}

}  // namespace starling
