// The runtime model: how long a training step takes, from figures of the cluster and of the model.
//
// Workers compute a forward pass, then a backward pass that completes one bucket after the other;
// each bucket is exchanged, and the model's parameters are updated. A step lasts as long as the
// slowest chain of these takes, so times obey a recursion in max and +. Where nothing is random
// and the exchange is of one kind, its solution is a formula; otherwise the recursion is run, with
// computing times drawn as ComputeTimes draws them. See README.md for the equations and for what
// is not modelled.
//
//   ASSIGN_OR_RETURN(const RuntimeModel runtime, RuntimeModel::Create(cluster, model, 64, {}));
//   const StepPrediction step = runtime.Predict(AllReducePlan(), nullptr);
//
// Times are in ms, sizes in MB (10^6 bytes).
#ifndef CLUSTER_RUNTIME_MODEL_H_
#define CLUSTER_RUNTIME_MODEL_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "cluster/cluster.pb.h"
#include "cluster/exchange_plan.h"
#include "topology/topology.h"

namespace starling {

struct Passes;  // recursion.h

// What a step's time beyond its own computing is mostly due to.
enum class Regime {
  kComputeBound,        // at most 5 % beyond it
  kCommunicationBound,  // waiting for transfers
  kStragglerBound       // waiting for workers that compute longer
};
const char* RegimeName(Regime regime);  // "compute-bound", ...

struct PredictionOptions {
  uint64_t seed = 1;
  int64_t steps = 2000;        // measured; only where something is random
  int64_t warmup_steps = 200;  // before them, dropped
};

struct StepPrediction {
  double mean_ms = 0;  // time of a long run over its steps
  double p50_ms = 0;   // of one step of one worker ...
  double p99_ms = 0;
  double compute_ms = 0;        // a worker's own pass and update, mean over workers and steps
  double communication_ms = 0;  // what a worker's transfers take, mean over workers and rounds
  double exposed_ms = 0;        // mean_ms - compute_ms: what is waited for
  double sent_mb = 0;           // by a worker per step, mean over workers and rounds
  Regime regime = Regime::kComputeBound;

  // mean_ms, one standard deviation of the figures (ClusterSpec.spread, ModelProfile.spread) down
  // and up; equal to mean_ms without them.
  double low_ms = 0;
  double high_ms = 0;
};

// Predictions for one cluster, model and number of workers; what is random is drawn once.
class RuntimeModel {
 public:
  // `cluster` and `model` are complete (cluster.h); worker r sits on machine
  // r / cluster.workers_per_node. FAILED_PRECONDITION if the workers do not fit the cluster.
  static absl::StatusOr<RuntimeModel> Create(const ClusterSpec& cluster, const ModelProfile& model,
                                             int workers, const PredictionOptions& options);

  // `topology` is null if `plan.everyone`, and one of `workers` otherwise. Thread-safe.
  StepPrediction Predict(const ExchangePlan& plan, const Topology* topology) const;

 private:
  RuntimeModel() = default;
  StepPrediction PredictWith(const ClusterSpec& cluster, const ModelProfile& model,
                             const ExchangePlan& plan, const Topology* topology) const;

  ClusterSpec cluster_;
  ModelProfile model_;
  int workers_ = 1;
  PredictionOptions options_;
  std::shared_ptr<const Passes> passes_;
};

}  // namespace starling

#endif  // CLUSTER_RUNTIME_MODEL_H_
