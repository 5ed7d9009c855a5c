// For benchmarks: the training loop that one writes in plain LibTorch, without our engine.
#ifndef MODELS_TORCH_BARE_LOOP_H_
#define MODELS_TORCH_BARE_LOOP_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "data/dataset.h"
#include "models/model.h"

namespace starling {

// The net of a model that LibTorch computes, with tensors of its own, no hooks, and
// torch::optim::Adam with lr 1e-3, betas 0.9 and 0.999, eps 1e-8.
class BareLoop {
 public:
  // The net starts with what `model`, made for the host, draws from `stream`, and computes at
  // `place`; the queue is the calling thread's. INVALID_ARGUMENT if LibTorch does not compute it.
  static absl::StatusOr<std::unique_ptr<BareLoop>> Create(std::unique_ptr<Model> model,
                                                          uint64_t stream, Place place);
  ~BareLoop();

  // Forward, backward, Adam's step, gradients to none. Returns the loss, for which the host waits
  // as loss.item() does. `stream` feeds dropout.
  double Step(const Batch& batch, uint64_t stream);

 private:
  struct Parts;
  explicit BareLoop(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace starling

#endif  // MODELS_TORCH_BARE_LOOP_H_
