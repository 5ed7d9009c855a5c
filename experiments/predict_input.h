// What `starling predict` and its like are asked about, from a config, from flags, or from both.
//
//   --cluster=NAME_OR_FILE   without it: what the config's backend names as its cluster
//   --workers, --workers_per_node
//                            without them: the config's; without one the cluster's
//   --model=NAME_OR_FILE     a model profile of the cluster, or a file with one; without it: what
//                            the config's backend simulates, if the cluster is its, too; else the
//                            profile that is called as the config's model, or the cluster's first
//   --compute_ms             forward and backward pass, in place of the profile's times
//   --model_bytes, --buckets_mb
//                            in place of the buckets of the config's model, or of the profile
//
// With --model_bytes or --model the config need not be one that can be trained: then only its
// workers, algorithm, topology and mixing are looked at.
#ifndef EXPERIMENTS_PREDICT_INPUT_H_
#define EXPERIMENTS_PREDICT_INPUT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "experiments/flags.h"
#include "experiments/predict.h"
#include "experiments/prepare.h"

namespace starling {

// Of ReadPredictionInput, for a Verb.
std::vector<std::string> PredictionFlags();

// INVALID_ARGUMENT or NOT_FOUND: what is missing or wrong, and what to say instead.
absl::StatusOr<PredictionInput> ReadPredictionInput(const Arguments& arguments,
                                                    const BuiltInConfig& built_in);

// The buckets of a model: `sizes` is one size, at which a model of `model_mb` is cut, or a list of
// all sizes in MB, scaled to `model_mb` unless that is 0. Shares of the backward pass are by size.
absl::StatusOr<std::vector<double>> BucketsMb(absl::string_view sizes, double model_mb);

}  // namespace starling

#endif  // EXPERIMENTS_PREDICT_INPUT_H_
