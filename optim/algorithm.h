// Algorithms: the order of {gradient, local update, mix} and whatever state that takes, written as
// plain code for one worker. An algorithm knows neither backend nor model nor which topology.
//
// One step, as the trainer drives it:
//
//   OnStepBegin(info)          launches whatever has no exchange in flight
//   model: forward, backward; per bucket, in order:
//     OnBucketReady(info, b)   g of bucket b is FINAL: summed over micro-batches, scaled, clipped
//   OnStepEnd(info)            afterwards x is what the next step starts from
//
// Start, resume and going on after an evaluation are one path: OnStepBegin.
#ifndef OPTIM_ALGORITHM_H_
#define OPTIM_ALGORITHM_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/state.h"
#include "optim/worker.h"

namespace starling {

// What an algorithm is, for checking configs, predicting times and testing.
struct AlgorithmFacts {
  enum class Launch { kNever, kStepBegin, kBucketReady };
  enum class Needed { kNever, kBucketReady, kStepEnd };

  Launch launch = Launch::kNever;  // when the exchange of a bucket starts
  Needed needed = Needed::kNever;  // ... and when its result is needed, in the same step ...
  int needed_steps_later = 0;      // ... or so many steps later (and mixing.staleness more)
  int64_t exchange_every = 1;      // steps: only the last of each so many starts one
  int vectors_per_message = 1;
  bool groups_as_edges = false;  // each of m members sends m - 1 messages in place of a group's sum
  bool needs_topology = true;
  bool needs_symmetric = false;       // W == W^T in every round
  bool needs_static = false;          // the same W in every step
  bool directed_ok = false;           // only the columns of W must sum to one, not the rows
  bool takes_staleness = false;       // mixing.staleness other than 0
  bool takes_new_parameters = false;  // OnNewParameters is implemented
  bool takes_membership = false;      // OnMembership is implemented
  bool state_is_shared = false;       // its state and the optimizer's are equal on all workers
  bool own_local_rule = false;        // replaces momentum by a rule of its own; takes plain sgd
  bool deterministic = true;          // bits do not depend on timing
  bool equals_mean_gradient = false;  // the workers' parameters stay equal to each other

  // What all eigenvalues of a symmetric W must be greater than; absent: they may be anything.
  std::optional<double> eigenvalues_above;
};

class Algorithm {
 public:
  static constexpr char kKind[] = "algorithm";
  struct Context {};

  virtual ~Algorithm() = default;
  virtual AlgorithmFacts facts() const = 0;

  // x and g are what the model reads and fills: layout.size elements. Starts the optimizer too.
  virtual absl::Status Start(const Worker& worker, Buffer x, Buffer g) = 0;

  virtual absl::Status OnStepBegin(const StepInfo& info) = 0;
  virtual absl::Status OnBucketReady(const StepInfo& info, int bucket) = 0;
  virtual absl::Status OnStepEnd(const StepInfo& info) = 0;

  // Between steps: waits until nothing moves. Results of exchanges in flight are kept for the
  // step that wants them, so the trajectory does not change.
  virtual absl::Status Quiesce() = 0;

  // Writes this worker's share of the average model: the average is the sum of all numerators over
  // the sum of all weights. Mostly x with weight 1 (algorithm_base.h).
  virtual absl::Status Estimate(Buffer numerator, double* weight) = 0;

  // Between steps, after Quiesce: x was replaced, by equal values on all workers. What is under way
  // holds old values and is forgotten; the next OnStepBegin starts as the first one. Default:
  // UNIMPLEMENTED, for algorithms whose other state belongs to the x that they had.
  virtual absl::Status OnNewParameters();

  // Between steps, after Quiesce: workers have left or returned (membership.h, which calls it on
  // all that are alive now). What is under way is dropped or taken in, by all alike, and from here
  // on exchanges are with `membership.alive`, over `membership.topology`. What all workers together
  // must keep (a mean, a mass) holds over those who are alive. Default: UNIMPLEMENTED.
  virtual absl::Status OnMembership(const Membership& membership);

  // State beside the parameters and the optimizer's.
  virtual absl::Status VisitState(StateVisitor* visitor) = 0;
};

}  // namespace starling

#endif  // OPTIM_ALGORITHM_H_
