// Predictions of experiments: from what algorithms say of themselves to tables of step times.
#ifndef EXPERIMENTS_PREDICT_H_
#define EXPERIMENTS_PREDICT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/cluster.h"
#include "cluster/exchange_plan.h"
#include "cluster/runtime_model.h"
#include "experiments/experiment.pb.h"
#include "optim/algorithm.h"
#include "topology/topology.h"

namespace starling {

// When an algorithm with these facts exchanges what, mixing as the config says. `bytes_factor`: of
// exchanged values over those of the model profile.
ExchangePlan ExchangePlanOf(const AlgorithmFacts& facts, const Mixing& mixing, double bytes_factor);

// What a prediction is about. Mixing is resolved, and `config` names no topology or algorithm that
// does not exist; nothing else of it is used.
struct PredictionInput {
  ClusterSpec cluster;  // complete; workers_per_node is the experiment's
  ModelProfile model;   // complete
  int workers = 8;
  Experiment config;
  std::vector<std::string> notes;  // what was assumed or left aside, a line each
};

// An algorithm over a topology that it may mix over.
struct Candidate {
  std::string algorithm;  // "gossip"; where its order is not the default, "gossip(ATC)"
  std::string topology;   // "none" if it takes none
  ExchangePlan plan;
  std::shared_ptr<const Topology> made;  // null if it takes none
};

struct Candidates {
  std::vector<Candidate> legal;
  std::vector<std::string> left_out;  // a line for each reason
};

// Every registered algorithm, in each order that it offers, over every registered topology. The
// config's own algorithm and topology are taken as it configures them, others with their defaults.
Candidates AllCandidates(const PredictionInput& input);

// The same of one algorithm, in the order that it is configured in.
Candidates CandidatesOf(const PredictionInput& input, const std::string& algorithm);

struct PredictedRow {
  std::string topology, algorithm;
  StepPrediction step;
  double speedup = 1;  // All-Reduce's time over this one
};

struct PredictionTable {
  StepPrediction all_reduce;
  std::vector<PredictedRow> rows;  // by step time, the fastest first

  // The least that any algorithm needs: the slowest worker's own computing. And All-Reduce's time
  // over it: what decentralization can give at most.
  double bound_ms = 0;
  double most_speedup = 1;
};

// Bytes exchanged over those of the model profile, by mixing.precision and train.dtype.
double BytesFactor(const Experiment& config);

// Predicts `candidates`, those with equal plans once. FAILED_PRECONDITION if the workers do not
// fit.
absl::StatusOr<PredictionTable> PredictAll(const PredictionInput& input,
                                           const std::vector<Candidate>& candidates,
                                           const PredictionOptions& options);

// Options with as many steps as a table for so many workers can be had with in seconds.
PredictionOptions OptionsFor(int workers, uint64_t seed);

}  // namespace starling

#endif  // EXPERIMENTS_PREDICT_H_
