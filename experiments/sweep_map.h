// Crossover maps: who is fastest where, by how much, over ranges of figures.
//
//   starling predict --cluster=nvlink_island --sweep nodes=2:64 nic_gbps=1:400 jitter=0:0.3
//
// An axis is NAME=FROM:TO or NAME=FROM:TO:POINTS, or NAME=A,B,C. Names are "nodes" (times the
// cluster's workers per node), "jitter" (relative; NORMAL where the cluster has none),
// "compute_ms", "model_mb", and every figure of a cluster (ClusterSpec) that is a plain number.
// Points are powers of two for nodes, evenly spaced for jitter, else with equal ratios where FROM
// is above 0.
#ifndef EXPERIMENTS_SWEEP_MAP_H_
#define EXPERIMENTS_SWEEP_MAP_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/predict.h"

namespace starling {

struct SweepAxis {
  std::string name;
  std::vector<double> values;
};

// INVALID_ARGUMENT names the axis, what is wrong and what would be right.
absl::StatusOr<std::vector<SweepAxis>> ParseAxes(const std::vector<std::string>& words);

struct SweepPoint {
  std::vector<double> at;  // by axis
  std::string winner;      // "allreduce", or the topology over which the algorithm is fastest
  double all_reduce_ms = 0;
  double winner_ms = 0;
  double speedup = 1;  // All-Reduce's time over the best decentralized one's, may be below 1
};

struct CrossoverMap {
  std::string algorithm;           // against All-Reduce
  std::vector<std::string> notes;  // what was assumed or may surprise, a line each
  std::vector<SweepAxis> axes;
  std::vector<SweepPoint> points;    // the last axis changes fastest
  std::vector<std::string> winners;  // that occur, the most frequent first
};

// The config's algorithm (gossip, unless it says otherwise) over every topology, against
// All-Reduce.
absl::StatusOr<CrossoverMap> Sweep(const PredictionInput& input,
                                   const std::vector<SweepAxis>& axes);

std::string SweepText(const CrossoverMap& map);  // at most 80 columns with up to 7 values per row
std::string SweepCsv(const CrossoverMap& map);
std::string SweepJson(const CrossoverMap& map);

// One panel per value of the axes beyond the first two: colour says who wins, the number by how
// much.
std::string SweepSvg(const CrossoverMap& map);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_MAP_H_
