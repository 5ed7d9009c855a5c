// The identity of a run: what can change its result.
#ifndef EXPERIMENTS_SWEEP_RUN_ID_H_
#define EXPERIMENTS_SWEEP_RUN_ID_H_

#include <string>
#include <vector>

#include "experiments/experiment.pb.h"

namespace starling {

// Returns 16 hexadecimal digits, a hash of
//
//  * the resolved config, without what ClearHow clears (identity.h) and without where the data lie:
//    fields called `dir` and `path` of the data set's config;
//  * the data's `fingerprint` (Dataset::fingerprint), in their stead;
//  * those of `assignments` ("path=value") that set what was cleared: a sweep over backends or over
//    overlap compares times, so its runs are different runs.
std::string RunId(Experiment config, uint64_t fingerprint,
                  const std::vector<std::string>& assignments);

}  // namespace starling

#endif  // EXPERIMENTS_SWEEP_RUN_ID_H_
