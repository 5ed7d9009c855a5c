// Step decay, as in PyTorch's StepLR and MultiStepLR, after a linear warm-up (optim/warmup.h):
//
//   factor(t) = gamma^(number of drops at or before t)
//
// A drop lies at every k-th epoch, or at the epochs of a list.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/registry.h"
#include "core/status.h"
#include "optim/schedule.h"
#include "optim/step/step.pb.h"
#include "optim/warmup.h"

namespace starling {
namespace {

class Step final : public Schedule {
 public:
  static absl::StatusOr<std::unique_ptr<Schedule>> Create(const StepConfig& config,
                                                          const Context& context) {
    if (context.steps_per_epoch <= 0) {
      return absl::InvalidArgumentError(
          "schedule \"step\" counts epochs, but this run has none; take another schedule");
    }
    ASSIGN_OR_RETURN(const LinearWarmup warmup, LinearWarmup::Create(config.warmup(), context));
    return std::make_unique<Step>(config, warmup, context.steps_per_epoch);
  }

  Step(const StepConfig& config, const LinearWarmup& warmup, int64_t steps_per_epoch)
      : warmup_(warmup),
        gamma_(config.gamma()),
        every_epochs_(config.every_epochs()),
        milestones_(config.milestones().begin(), config.milestones().end()),
        steps_per_epoch_(static_cast<double>(steps_per_epoch)) {}

  double Factor(int64_t step) const override {
    if (warmup_.Covers(step)) return warmup_.Factor(step);
    return std::pow(gamma_, Drops(static_cast<double>(step) / steps_per_epoch_));
  }

 private:
  int Drops(double epochs) const {
    if (milestones_.empty()) return static_cast<int>(epochs / every_epochs_);
    return std::count_if(milestones_.begin(), milestones_.end(),
                         [epochs](double milestone) { return milestone <= epochs; });
  }

  const LinearWarmup warmup_;
  const double gamma_;
  const double every_epochs_;
  const std::vector<double> milestones_;
  const double steps_per_epoch_;
};

STARLING_REGISTER_PLUGIN(Schedule, Step, StepConfig,
                         PluginFacts{"step", "falls by gamma every few epochs, or at milestones",
                                     "as StepLR and MultiStepLR of PyTorch", /*aliases=*/{},
                                     /*limits=*/""});

}  // namespace
}  // namespace starling
