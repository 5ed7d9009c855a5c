#include "comm/sim/transfers.h"

#include <algorithm>
#include <vector>

#include "cluster/cluster.h"

namespace starling {
namespace {

using Way = Network::Way;

double BytesPerSecond(double gbps) { return gbps * 1e9 / 8; }

bool Contains(absl::Span<const int> group, int worker) {
  return std::binary_search(group.begin(), group.end(), worker);
}

// What faults leave of the rate of the slowest pair in the group.
double RateLeft(const Faults& faults, absl::Span<const int> group, int64_t step) {
  double left = 1;
  for (const Faults::SlowLink& slow : faults.slow_link()) {
    const bool now =
        step >= slow.from_step() && (!slow.has_until_step() || step < slow.until_step());
    if (now && Contains(group, slow.worker()) && Contains(group, slow.other_worker())) {
      left = std::min(left, slow.rate());
    }
  }
  return left;
}

}  // namespace

struct Transfers::Shape {
  struct Part {
    int machine = 0;
    int members = 0;
  };
  std::vector<Part> parts;
  double members = 0;
  bool equal = true;                // as many on each machine
  double inside = 0;                // bytes per second of one worker
  double pair = 0;                  // and of the slowest pair of machines next to each other
  double farthest = 0, around = 0;  // seconds: the longest latency, and that of all machines' ring

  double machines() const { return static_cast<double>(parts.size()); }
};

Transfers::Transfers(const ClusterSpec* cluster, const Faults* faults, int workers_per_node)
    : cluster_(cluster), faults_(faults), workers_per_node_(workers_per_node) {}

Network::Job Transfers::Message(int from, int to, double bytes, int64_t step) const {
  Network::Job job;
  if (from == to || bytes <= 0) return job;
  const int ends[] = {std::min(from, to), std::max(from, to)};
  const double left = RateLeft(*faults_, ends, step);
  double latency_us = cluster_->collective_latency_us() + cluster_->hop_latency_us();
  const int a = MachineOf(from), b = MachineOf(to);
  if (a == b) {
    job.flows.push_back(
        {Way::kInside, from, to, bytes, BytesPerSecond(cluster_->node_gbps() * left)});
  } else {
    const Link link = LinkBetween(*cluster_, a, b);
    latency_us += link.latency_us;
    job.flows.push_back({Way::kAcross, a, b, bytes, BytesPerSecond(link.gbps * left)});
  }
  job.seconds = latency_us * 1e-6;
  return job;
}

Network::Job Transfers::Sum(absl::Span<const int> group, double bytes, int64_t step) const {
  Network::Job job;
  if (group.size() < 2 || bytes <= 0) return job;
  Shape shape;
  shape.members = static_cast<double>(group.size());
  for (const int worker : group) {
    const int machine = MachineOf(worker);
    if (shape.parts.empty() || shape.parts.back().machine != machine) {
      shape.parts.push_back({machine, 0});
    }
    ++shape.parts.back().members;
  }
  const double left = RateLeft(*faults_, group, step);
  shape.inside = BytesPerSecond(cluster_->node_gbps() * left);
  for (size_t i = 0; i < shape.parts.size(); ++i) {
    shape.equal = shape.equal && shape.parts[i].members == shape.parts[0].members;
    if (shape.parts.size() == 1) break;
    const Link link = LinkBetween(*cluster_, shape.parts[i].machine,
                                  shape.parts[(i + 1) % shape.parts.size()].machine);
    const double pair = BytesPerSecond(link.gbps * left);
    shape.pair = i == 0 ? pair : std::min(shape.pair, pair);
    shape.farthest = std::max(shape.farthest, link.latency_us * 1e-6);
    shape.around += link.latency_us * 1e-6;
  }
  job.seconds = cluster_->collective_latency_us() * 1e-6;
  if (cluster_->collective() == ClusterSpec::RING) {
    AddRing(shape, bytes, &job);
  } else if (shape.equal) {
    AddTwoLevel(shape, bytes, &job);
  } else {
    AddDirect(shape, bytes, &job);
  }
  return job;
}

namespace {

// One flow around the machines: from each to the next, at most so fast. Between two machines that
// is one flow both ways.
template <typename Parts>
void AddFlows(const Parts& parts, double bytes, double bytes_per_second, Network::Job* job) {
  if (parts.size() == 2) {
    job->flows.push_back(
        {Way::kBothWays, parts[0].machine, parts[1].machine, bytes, bytes_per_second});
    return;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    job->flows.push_back({Way::kAcross, parts[i].machine, parts[(i + 1) % parts.size()].machine,
                          bytes, bytes_per_second});
  }
}

}  // namespace

void Transfers::AddRing(const Shape& shape, double bytes, Network::Job* job) const {
  const double passes = 2 * (shape.members - 1) / shape.members;
  job->seconds += 2 * (shape.members - 1) * cluster_->hop_latency_us() * 1e-6;
  if (shape.parts.size() == 1) {
    job->seconds += passes * bytes / shape.inside;
    return;
  }
  job->seconds += passes * shape.around;
  const bool touches_insides = shape.members > shape.machines();
  AddFlows(shape.parts, passes * bytes,
           touches_insides ? std::min(shape.pair, shape.inside) : shape.pair, job);
}

void Transfers::AddTwoLevel(const Shape& shape, double bytes, Network::Job* job) const {
  const double hop = cluster_->hop_latency_us() * 1e-6;
  const double p = shape.parts[0].members, machines = shape.machines();
  if (p > 1) job->seconds += 2 * hop + 2 * (p - 1) / p * bytes / shape.inside;
  if (machines == 1) return;
  job->seconds += 2 * (hop + shape.farthest);
  AddFlows(shape.parts, 2 * (machines - 1) / machines * bytes, p * (machines - 1) * shape.pair,
           job);
}

void Transfers::AddDirect(const Shape& shape, double bytes, Network::Job* job) const {
  // All send to all, in two rounds: as much as the busiest card carries, and no faster than a pair
  // or a worker's own share allows.
  const double m = shape.members;
  double crossing = 0, slowest = 2 / m * bytes / shape.pair;
  for (const Shape::Part& part : shape.parts) {
    crossing = std::max(crossing, 2 * part.members * (m - part.members) / m * bytes);
    slowest = std::max(slowest, 2 * (part.members - 1) / m * bytes / shape.inside);
  }
  job->seconds += 2 * (cluster_->hop_latency_us() * 1e-6 + shape.farthest);
  if (crossing > 0) AddFlows(shape.parts, crossing, crossing / slowest, job);
}

}  // namespace starling
