// The common part of optimizers whose rule is one fused pass (core/ops/fused_pass.h): state in
// parameter layout, the step counter, and weight decay that differs from tensor to tensor.
//
// A derived class supplies its rule as RunPass and says has_momentum:
//
//   class Descent final : public FusedOptimizer {
//     Descent(const DescentConfig& config) : FusedOptimizer(SettingsOf(config), {"momentum"}) {}
//     void RunPass(const ops::FusedPass& pass, double lr, double weight_decay) override {
//       DescentPass(pass, {lr, weight_decay});
//     }
//   };
//
// Weight decay spares biases and norms (TensorInfo::decay is false) unless `decay_all`. Since it
// is a constant of a pass, a range is cut into runs of adjacent tensors of equal decay.
#ifndef OPTIM_FUSED_OPTIMIZER_H_
#define OPTIM_FUSED_OPTIMIZER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/ops/fused_pass.h"
#include "core/state.h"
#include "optim/optimizer.h"

namespace starling {

class FusedOptimizer : public Optimizer {
 public:
  double lr() const final { return settings_.lr; }

  // INVALID_ARGUMENT unless `type` is F32 or F64.
  absl::Status Start(const Layout& layout, DType type, Place place) final;

  void BeginStep() override { ++step_; }

  // Allocates nothing. CHECK-fails on buffers that do not fit the layout.
  absl::Status Update(const UpdateArgs& args) final;

  // Visits each state under its name, in x's type, and the number of steps begun as "step" (I64).
  absl::Status VisitState(StateVisitor* visitor) final;

 protected:
  struct Settings {
    double lr = 0;
    double weight_decay = 0;
    bool decay_all = false;
  };

  // The settings of a resolved config with these fields.
  template <typename Config>
  static Settings SettingsOf(const Config& config) {
    return {config.lr(), config.weight_decay(), config.decay_all()};
  }

  FusedOptimizer(const Settings& settings, std::vector<std::string> state_names)
      : settings_(settings), state_names_(std::move(state_names)) {}

  // Steps begun so far: 1 during the first.
  int64_t step() const { return step_; }

 private:
  // Tensors in a row that decay alike.
  struct Segment {
    Range range;
    double weight_decay;
  };

  // Runs the rule over `pass`, whose states are in the order of `state_names`.
  virtual void RunPass(const ops::FusedPass& pass, double lr, double weight_decay) = 0;

  const Settings settings_;
  const std::vector<std::string> state_names_;
  std::vector<Arena> state_;
  std::vector<Segment> segments_;  // in order; they cover the layout
  int64_t size_ = 0;               // of the layout
  int64_t step_ = 0;
};

}  // namespace starling

#endif  // OPTIM_FUSED_OPTIMIZER_H_
