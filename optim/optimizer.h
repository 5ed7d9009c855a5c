// Optimizers: the local rule d that turns a gradient into an update of one worker's parameters.
// An optimizer never sees the network; mixing reaches it as a list of sources that replace x.
//
//   x <- mix(x) - lr * d(mix(x), g),   mix(x) = sum_j weight_j * values_j  (x itself if empty)
//
// (schema of Wang et al., "From promise to practice", ICLR 2025: mixing happens before the local
// rule, so weight decay sees the mixed parameters while g was computed at the un-mixed ones.)
#ifndef OPTIM_OPTIMIZER_H_
#define OPTIM_OPTIMIZER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/state.h"

namespace starling {

// One range of the arena, whole tensors, usually one bucket. Buffers hold just the range.
struct UpdateArgs {
  int64_t offset = 0;            // of the range in the layout
  Buffer x;                      // updated in place
  Buffer gradient;               // final: summed, unscaled, clipped
  absl::Span<const Source> mix;  // added in this order; empty: x as it is. May include x
  Buffer copy_to;                // also gets the new x, unless empty. May be one of `mix`
  double lr = 0;
};

class Optimizer {
 public:
  static constexpr char kKind[] = "optimizer";
  struct Context {};

  virtual ~Optimizer() = default;

  // Learning rate of the config, before the schedule.
  virtual double lr() const = 0;

  // Whether the rule has a momentum of its own (quasi-global methods cannot take one).
  virtual bool has_momentum() const = 0;

  // Allocates and zeroes the state for parameters of this layout and type, where they lie; again:
  // resets it. `layout` must outlive the optimizer.
  virtual absl::Status Start(const Layout& layout, DType type, Place place) = 0;

  // Once per step, before its first Update (not once per range).
  virtual void BeginStep() = 0;

  // One pass over memory. Ranges may come in any order, each once per step.
  virtual absl::Status Update(const UpdateArgs& args) = 0;

  virtual absl::Status VisitState(StateVisitor* visitor) = 0;
};

}  // namespace starling

#endif  // OPTIM_OPTIMIZER_H_
