// The trainer: one worker's training by gradients, from its starting values to its last step.
//
// It drives the algorithm (optim/algorithm.h), reads batches, sums micro-batches, clips, measures,
// evaluates and saves checkpoints. What it hands to the algorithm is final: no algorithm knows of
// any of that.
//
// By the plan's script of faults a worker leaves and returns (optim/membership.h) or pauses, which
// is sleep on its clock. One that is away waits for a word of worker 0: that its step has come, or
// that the run ends before. One that does not return ends at once.
#ifndef EXPERIMENTS_TRAINER_H_
#define EXPERIMENTS_TRAINER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "core/device/deferred_number.h"
#include "core/ops/norm_clip.h"
#include "core/state.h"
#include "data/sampler.h"
#include "experiments/batch_loader.h"
#include "experiments/checkpoint.h"
#include "experiments/digest_trail.h"
#include "experiments/evaluator.h"
#include "experiments/monitor.h"
#include "experiments/plan.h"
#include "experiments/step_report.h"
#include "optim/loss_scale.h"

namespace starling {

// What came out; equal on all workers that are there at the end.
struct TrainedState {
  uint64_t state_digest = 0;  // of all workers
  bool evaluated = false;     // false if the run was stopped or diverged
  Evaluation test;
};

class Trainer {
 public:
  // Nothing is owned; all outlive the trainer.
  Trainer(const Plan* plan, Communicator* comm, Monitor* monitor);

  // Trains from the beginning or the checkpoint that the monitor's start names to the end of the
  // plan, or to the step at which the monitor stops the run.
  absl::StatusOr<TrainedState> Run();

 private:
  absl::StatusOr<TrainedState> RunSteps();

  absl::StatusOr<int64_t> Start();  // returns the first step
  absl::Status CheckLayouts();      // all workers must agree on what they exchange

  bool TakesPart(int64_t step) const;
  // Has workers leave and return before `step`, if any do.
  absl::Status ChangeMembers(int64_t step);
  // Away from `step` on: waits until this worker returns. Returns at which step; -1: never.
  absl::StatusOr<int64_t> AwaitReturn(int64_t step);
  // Worker 0's word to one that waits for `return_step`: whether it comes.
  absl::Status TellAway(int worker, int64_t return_step, bool comes);
  absl::Status TellAllAway(int64_t step);  // the run has ended before `step`
  void Pause(int64_t step);

  absl::Status Step(int64_t step);
  // Tells the monitor of the last step, if it has not been told yet.
  absl::Status ReportLastStep();

  // For the loader, maybe on a thread of its own.
  absl::Status ReadBatch(int64_t step, int part, Batch* batch);

  // Computes the gradient of the step's batch into g and hands its buckets to the algorithm.
  absl::Status Gradient(const StepInfo& info);

  // Validation, measurements and checkpoints, where they are due.
  absl::Status BetweenSteps(int64_t steps_done);
  absl::Status Measure(int64_t steps_done);
  absl::Status Evaluate(int64_t steps_done, Split split, Evaluation* evaluation);
  absl::Status Save(int64_t steps_done);

  // Those of this worker's state after so many steps, if they are recorded.
  absl::StatusOr<TensorDigests> DigestsOf(int64_t steps_done);

  // Shows all that this worker must keep between steps.
  absl::Status VisitState(StateVisitor* visitor);
  absl::StatusOr<uint64_t> Digest();   // of all workers
  absl::StatusOr<bool> AnyDiverged();  // on all workers the same

  const Plan* plan_;
  Communicator* comm_;
  Monitor* monitor_;
  WorkerParts parts_;
  Worker worker_;
  Buffer x_, g_;
  bool numeric_ = true;  // false: only sizes (comm/simulation.h), and nothing to measure or keep
  Buffer micro_sum_;     // gradients of all micro-batches but the last
  std::unique_ptr<LossScale> loss_scale_;  // null: there is none (train.autocast)
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Evaluator> evaluator_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::vector<std::unique_ptr<ops::NormClip>> clips_;  // per bucket or one of all; or none
  double lr_ = 0;

  // A step of which the monitor does not know yet. On a device it is told one step late: reading
  // the loss waits for the card, which then has the next step to work on.
  struct Unreported {
    int64_t step = 0;
    StepReport report;
  };
  std::optional<Unreported> unreported_;
  // Of the step's micro-batches: of an even step, and of an odd one.
  std::vector<DeferredNumber> losses_[2];
  bool diverged_ = false;                // this worker has seen a loss that is not finite
  std::unique_ptr<BatchLoader> loader_;  // first to go: it reads with what is above
};

}  // namespace starling

#endif  // EXPERIMENTS_TRAINER_H_
