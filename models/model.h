// Models: a loss and its gradient over two flat arenas.
//
// A model owns no parameters. Parameters x and gradients g live in arenas of layout().size
// elements that the trainer owns and binds; the model's tensors are views into them, so nobody
// copies to communicate, and averaged or stashed parameters are evaluated by binding them.
#ifndef MODELS_MODEL_H_
#define MODELS_MODEL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/layout.h"
#include "core/state.h"
#include "data/dataset.h"

namespace starling {

// Called once per bucket, in order, when the bucket's gradient is complete.
using BucketReady = std::function<absl::Status(int bucket)>;

struct StepResult {
  // The mean over the batch's targets: one element, F32 or F64, the model's until its next pass. On
  // a device it is there when the thread's queue has come so far, and the host need not wait for it
  // (core/device/deferred_number.h).
  Buffer loss;
  int64_t examples = 0;
};

// Sums over targets, so that batches and workers add up. A target is what one loss is the loss of:
// an example, or a token of a sequence (padding is none).
struct MetricSums {
  double loss = 0;     // sum of the targets' losses
  double correct = 0;  // targets predicted correctly; stays 0 without classes or a vocabulary
  int64_t targets = 0;

  void Add(const MetricSums& other) {
    loss += other.loss;
    correct += other.correct;
    targets += other.targets;
  }
};

class Model {
 public:
  static constexpr char kKind[] = "model";
  struct Context {
    const DataSpec* data = nullptr;  // not owned; valid while the model is being made
    DType dtype = DType::kF32;       // of parameters and gradients: F32 or F64
    int64_t bucket_bytes = 25 << 20;
    Place place = Place::kHost;  // of what is bound; kDevice: the calling thread's card and queue
    // kBF16 or kF16: what gains most by it computes in this type (mixed precision); parameters,
    // gradients and losses are of `dtype` all the same.
    std::optional<DType> autocast;
    bool deterministic = true;  // on a device: the same bits each time, even where that is slower
    int worker = 0;             // for models whose loss differs per worker (quadratic)
    int workers = 1;
    uint64_t seed = 0;
    Clock* clock = &WallClock();  // the worker's; not owned. For models that wait (paced)
  };

  virtual ~Model() = default;

  // Tensors in the order in which the backward pass completes them; equal on all workers.
  virtual const Layout& layout() const = 0;

  // Writes starting values into `x` (layout().size elements), zeros into its padding. The same
  // for the same stream, whatever is bound.
  virtual absl::Status Initialize(uint64_t stream, Buffer x) = 0;

  // Uses `x` as parameters and `g` as the place of gradients from now on. Cheap, any time. An
  // empty `g` means: evaluation only.
  virtual absl::Status Bind(Buffer x, Buffer g) = 0;

  // Computes the loss of `batch` at x and writes (not adds) its gradient, the mean over the
  // batch, to g; the padding between tensors gets zeros or stays as it is. `stream` feeds dropout
  // and the like.
  //
  // Calls `ready` for every bucket, in order, as soon as its gradient is complete and this pass
  // reads its parameters no more: `ready` may already overwrite both. After the first status of
  // `ready` that is not OK no further bucket is reported and that status is returned; the rest of
  // g is then undefined.
  virtual absl::StatusOr<StepResult> ForwardBackward(const Batch& batch, uint64_t stream,
                                                     const BucketReady& ready) = 0;

  // Adds the metrics of `batch` at x to `sums`. Changes no state.
  virtual absl::Status Evaluate(const Batch& batch, MetricSums* sums) = 0;

  // Returns, for every source sentence of `batch` (data/translations.h), the target tokens that the
  // model at x finds best, without kBegin and kEnd. UNIMPLEMENTED for models that do not translate.
  // Changes no state.
  virtual absl::StatusOr<std::vector<std::vector<int64_t>>> Translate(const Batch& batch);

  // State beside the parameters (batch-norm statistics).
  virtual absl::Status VisitState(StateVisitor* visitor) = 0;

  // From now on every ForwardBackward calls `forward_done` once, when its loss is known and the
  // backward pass begins. Empty: it calls nobody.
  void set_forward_done(std::function<void()> forward_done) {
    forward_done_ = std::move(forward_done);
  }

  // From now on every ForwardBackward computes the gradient of `scale` times the loss, for what
  // autocast computes in kF16 (optim/loss_scale.h); StepResult tells the loss itself.
  void set_loss_scale(double scale) { loss_scale_ = scale; }

 protected:
  void ForwardDone() const {
    if (forward_done_) forward_done_();
  }
  double loss_scale() const { return loss_scale_; }

 private:
  std::function<void()> forward_done_;
  double loss_scale_ = 1;
};

// For implementations of Bind and Initialize: OK if `arena` can hold the elements of `layout` as
// `type` in memory of `place`; otherwise says what `model` needs for `what` ("x") and what it was
// given.
absl::Status CheckArena(absl::string_view model, absl::string_view what, const Layout& layout,
                        DType type, const Buffer& arena, Place place = Place::kHost);

// For models that compute on the host and in `context.dtype` alone: INVALID_ARGUMENT if `context`
// wants of `model` something else.
absl::Status CheckComputesPlainly(absl::string_view model, const Model::Context& context);

}  // namespace starling

#endif  // MODELS_MODEL_H_
