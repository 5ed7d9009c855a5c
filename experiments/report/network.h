// The network of a combination, for the page: who talks to whom, and how much.
#ifndef EXPERIMENTS_REPORT_NETWORK_H_
#define EXPERIMENTS_REPORT_NETWORK_H_

#include <optional>
#include <vector>

#include "experiments/experiment.pb.h"
#include "experiments/report/run_record.h"
#include "nlohmann/json.hpp"

namespace starling {

// Worlds beyond are no picture any more.
inline constexpr int kLargestDrawnTopology = 64;

// The experiment's topology as DescribeJson gives it, at most 8 rounds of it, with
// "workers_per_node"; absent if its algorithm takes none, if the plug-in is not linked or if there
// are too many workers to draw.
std::optional<nlohmann::ordered_json> TopologyJson(const Experiment& config);

// {"size": blocks, "block": workers per block, "bytes": [row of sender 0, ...]}: workers stand
// alone if there are at most 32, else in blocks of neighbours.
nlohmann::ordered_json LinksJson(const std::vector<LinkTraffic>& links);

}  // namespace starling

#endif  // EXPERIMENTS_REPORT_NETWORK_H_
