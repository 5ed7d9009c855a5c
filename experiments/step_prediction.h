// What the runtime model says of a plan's step time, and the file that keeps it beside a run.
#ifndef EXPERIMENTS_STEP_PREDICTION_H_
#define EXPERIMENTS_STEP_PREDICTION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/cluster.h"
#include "cluster/runtime_model.h"
#include "experiments/plan.h"

namespace starling {

// The sizes of the buckets of a plan's model, in MB.
absl::StatusOr<std::vector<double>> BucketsOf(const Plan& plan);

// Gives a profile buckets of these sizes. If they are as many as it has, their shares of the
// backward pass stay; else they are by size, which is noted.
void SetBuckets(const std::vector<double>& mb, ModelProfile* model,
                std::vector<std::string>* notes);

// A cluster, and a model with the plan's buckets.
struct Setting {
  ClusterSpec cluster;
  ModelProfile model;
};

// What the plan's backend simulates, by the fields of its config that are called as those of `sim`:
// cluster, model_profile, compute_ms, forward_share, update_ms, model_bytes. Absent: its config
// has no cluster.
absl::StatusOr<std::optional<Setting>> SimulatedSetting(const Plan& plan);

// The name in the field `cluster` of a backend's config; empty if it has none.
std::string ClusterOfBackend(const PluginRef& backend);

// The plan's algorithm over its topology in this setting, which is completed.
absl::StatusOr<StepPrediction> PredictStep(const Plan& plan, Setting setting);

// prediction.json: {"cluster", "step_ms": {"mean", "low", "high", "p99"}, "regime"}.
std::string PredictionJson(absl::string_view cluster, const StepPrediction& prediction);

}  // namespace starling

#endif  // EXPERIMENTS_STEP_PREDICTION_H_
