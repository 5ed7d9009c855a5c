// Checkpoints of a training: what one worker saves and what it goes on from.
//
// All of it is collective: every worker that is alive calls it at the same step, between two steps,
// when nothing is in flight. One that is away has no file, and needs none when it returns; what it
// had sent before is then not counted, if the run was resumed meanwhile. Saved is what a worker
// shows to a StateVisitor (parameters, and the state of optimizer, algorithm and model) with its
// traffic so far. Nothing else is needed: batches, random streams, learning rates and topology
// rounds are functions of the step and the config. So a run that goes on makes the same bits as one
// that was never stopped. (What algorithms had under way for the next step they send again, and its
// bytes count again.)
#ifndef EXPERIMENTS_CHECKPOINT_H_
#define EXPERIMENTS_CHECKPOINT_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "core/layout.h"
#include "core/safetensors.h"
#include "core/state.h"
#include "experiments/checkpoint_directory.h"
#include "experiments/evaluator.h"
#include "experiments/monitor.h"
#include "experiments/plan.h"

namespace starling {

class Checkpointer {
 public:
  using VisitState = std::function<absl::Status(StateVisitor*)>;

  // Nothing is owned. `visit` shows all state of this worker, in `layout`.
  Checkpointer(const Plan* plan, Communicator* comm, Evaluator* evaluator, Monitor* monitor,
               const Layout* layout, VisitState visit)
      : plan_(plan),
        comm_(comm),
        evaluator_(evaluator),
        monitor_(monitor),
        layout_(layout),
        visit_(std::move(visit)) {}

  // Loads what the run goes on from, if it does, unless this worker is `away`; returns the steps
  // that have been made. DATA_LOSS names a file that is damaged or does not fit.
  absl::StatusOr<int64_t> Restore(bool away = false);

  // Whether the config asks for a checkpoint after `step` steps.
  bool IsDue(int64_t step) const;

  // Writes a checkpoint after `step` steps, unless there is one or the run keeps none, and removes
  // the oldest once it counts. `model` shows the model's own state, which is averaged for export.
  absl::Status Save(int64_t step, const VisitState& model);

 private:
  absl::Status Load(const CheckpointDirectory& directory, int64_t step);
  absl::StatusOr<uint64_t> WriteAverage(const std::string& path, int64_t step,
                                        const VisitState& model);
  absl::Status Commit(const CheckpointDirectory& directory, CheckpointManifest manifest);

  const Plan* plan_;
  Communicator* comm_;
  Evaluator* evaluator_;
  Monitor* monitor_;
  const Layout* layout_;
  VisitState visit_;
  RunStart start_;
  int64_t saved_step_ = -1;  // for which there is a checkpoint
};

// What of `plan` a checkpoint must fit, without checksums.
CheckpointManifest ManifestOf(const Plan& plan, int64_t step);

}  // namespace starling

#endif  // EXPERIMENTS_CHECKPOINT_H_
