// The comparison of an experiment's arms.
#ifndef EXPERIMENTS_COMPARISON_H_
#define EXPERIMENTS_COMPARISON_H_

#include <string>
#include <vector>

#include "experiments/experiment.pb.h"
#include "experiments/monitor.h"

namespace starling {

// One arm and what it came to.
struct ArmResult {
  std::string name;
  Experiment config;
  RunResult result;
};

// The table that compares arms: at most 80 columns.
std::string ComparisonTable(const std::vector<ArmResult>& arms);

}  // namespace starling

#endif  // EXPERIMENTS_COMPARISON_H_
