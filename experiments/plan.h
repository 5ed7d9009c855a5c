// The plan of a training: a resolved experiment, checked as a whole, and everything that its
// workers share.
#ifndef EXPERIMENTS_PLAN_H_
#define EXPERIMENTS_PLAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/config/problem.h"
#include "core/layout.h"
#include "data/dataset.h"
#include "data/partition.h"
#include "data/sampler.h"
#include "experiments/experiment.pb.h"
#include "experiments/faults.h"
#include "models/model.h"
#include "optim/algorithm.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "optim/worker.h"
#include "topology/topology.h"

namespace starling {

// Shared by the workers of this process; thread-safe to read.
struct Plan {
  Experiment config;  // resolved: every field and every plug-in's config spelt out
  DType dtype = DType::kF32;
  std::optional<DType> precision;  // of exchanged values; absent: dtype
  int64_t local_batch_size = 0;    // examples; 0: batches by tokens
  int64_t local_batch_tokens = 0;  // padding counted; 0: batches by examples
  int64_t steps_per_epoch = 0;
  int64_t steps = 0;             // of the whole run
  int64_t eval_every_steps = 0;  // 0: only at the end

  std::unique_ptr<Topology> topology;  // null if the algorithm takes none
  std::vector<Era> eras;               // who takes part when
  std::shared_ptr<const Dataset> dataset;
  std::unique_ptr<Schedule> schedule;
  Assignment assignment;
  std::vector<int32_t> costs;  // of the training examples, in tokens; empty: batches by examples

  AlgorithmFacts facts;
  Layout layout;  // of the model
  int64_t parameters = 0;
  int64_t buckets = 0;

  // Of all workers; by tokens: the mean over an epoch.
  double examples_per_step() const {
    if (local_batch_tokens == 0) return static_cast<double>(local_batch_size * config.workers());
    return static_cast<double>(costs.size()) / static_cast<double>(steps_per_epoch);
  }
};

// Fills in what the config leaves open and drops what does not apply, with one line in `notes` for
// each thing dropped. INVALID_ARGUMENT: every problem on a line of its own, with the place in
// `locations` that its value comes from.
absl::Status ResolveExperiment(const TextLocations& locations, Experiment* config,
                               std::vector<std::string>* notes);

// Makes what the workers share and checks that all of it fits together. `config` is resolved.
// Errors: as ResolveExperiment, and those of files that cannot be read.
absl::StatusOr<std::unique_ptr<Plan>> MakePlan(const Experiment& config,
                                               const TextLocations& locations);

// The type of exchanged values; absent: that of the parameters.
std::optional<DType> PrecisionOf(const Mixing& mixing);

absl::StatusOr<AlgorithmFacts> FactsOf(const PluginRef& algorithm);

// Something that an algorithm needs of the weights and a topology does not give, which would go
// wrong unnoticed.
struct Misfit {
  Problem problem;     // for who asked for both
  std::string needed;  // "that are symmetric"
};

// `config` names both, and says how often and with which gamma they mix.
std::vector<Misfit> MisfitsOf(const AlgorithmFacts& needs, const Topology& topology,
                              const Experiment& config);

// What one worker owns.
struct WorkerParts {
  std::unique_ptr<Model> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Algorithm> algorithm;
};
absl::StatusOr<WorkerParts> MakeWorkerParts(const Plan& plan, int worker, Clock* clock);

// Those of `comm`'s worker, which take simulated time where there is such (simulated_parts.h).
// `comm` outlives them.
absl::StatusOr<WorkerParts> MakeWorkerParts(const Plan& plan, Communicator* comm);

// Which training examples `worker` reads when.
std::unique_ptr<Sampler> MakeSampler(const Plan& plan, int worker);

// What `comm`'s worker finds around it; its own optimizer and layout are still missing.
Worker WorkerOf(const Plan& plan, Communicator* comm);

// What a worker is told about `step` of a run of `steps`; `lr` is its optimizer's own.
StepInfo StepInfoOf(const Plan& plan, int64_t step, int64_t steps, double lr);

// The plan in words, for `train --dry_run` and the beginning of a run: at most 80 columns.
std::string PlanText(const Plan& plan);

}  // namespace starling

#endif  // EXPERIMENTS_PLAN_H_
