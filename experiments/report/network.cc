#include "experiments/report/network.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/registry.h"
#include "topology/describe.h"
#include "topology/topology.h"

namespace starling {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostBlocks = 32;
constexpr size_t kMostRounds = 8;

}  // namespace

std::optional<Json> TopologyJson(const Experiment& config) {
  if (config.topology().name().empty() || config.workers() > kLargestDrawnTopology) {
    return std::nullopt;
  }
  const int per_node = config.has_workers_per_node() ? config.workers_per_node() : config.workers();
  const auto topology = Registry<Topology>::Global().Create(
      config.topology(), {config.workers(), per_node, config.seed()});
  if (!topology.ok()) return std::nullopt;
  Json json = Json::parse(DescribeJson(**topology, config.topology().name()));
  json["workers_per_node"] = per_node;
  Json& rounds = json["rounds"];
  while (rounds.size() > kMostRounds) rounds.erase(rounds.size() - 1);
  return json;
}

Json LinksJson(const std::vector<LinkTraffic>& links) {
  int workers = 1;
  for (const LinkTraffic& link : links) workers = std::max({workers, link.from + 1, link.to + 1});
  const int block = (workers + kMostBlocks - 1) / kMostBlocks;
  const int size = (workers + block - 1) / block;
  std::vector<std::vector<double>> bytes(size, std::vector<double>(size));
  for (const LinkTraffic& link : links) bytes[link.from / block][link.to / block] += link.bytes;
  for (std::vector<double>& row : bytes) {
    for (double& sum : row) sum = std::round(sum);
  }
  return {{"size", size}, {"block", block}, {"bytes", bytes}};
}

}  // namespace starling
