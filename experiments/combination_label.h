// Names of combinations in tables, figures and messages.
#ifndef EXPERIMENTS_COMBINATION_LABEL_H_
#define EXPERIMENTS_COMBINATION_LABEL_H_

#include <string>
#include <vector>

namespace starling {

// "fast, ring, lr=0.1" of columns "arm", "topology.name", "optimizer.config.lr" and a value each.
// A plug-in's name speaks for itself, other values get the end of their path, or all of it where
// two paths end alike. Empty values are left out.
std::string CombinationLabel(const std::vector<std::string>& columns,
                             const std::vector<std::string>& values);

}  // namespace starling

#endif  // EXPERIMENTS_COMBINATION_LABEL_H_
