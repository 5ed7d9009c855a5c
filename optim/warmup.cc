#include "optim/warmup.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace starling {

absl::StatusOr<LinearWarmup> LinearWarmup::Create(const Warmup& config,
                                                  const Schedule::Context& context,
                                                  int64_t default_steps) {
  if (config.has_steps() && config.has_epochs()) {
    return absl::InvalidArgumentError(absl::StrCat("warmup.steps is ", config.steps(),
                                                   " and warmup.epochs is ", config.epochs(),
                                                   "; give one of them"));
  }
  int64_t steps = config.has_steps() ? config.steps() : default_steps;
  if (config.has_epochs()) {
    if (context.steps_per_epoch <= 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "warmup.epochs is ", config.epochs(), ", but this run has no epochs; give warmup.steps"));
    }
    steps = std::llround(config.epochs() * static_cast<double>(context.steps_per_epoch));
  }
  return LinearWarmup(steps, config.factor());
}

double LinearWarmup::Factor(int64_t step) const {
  return factor_ + (1 - factor_) * static_cast<double>(step + 1) / static_cast<double>(steps_);
}

}  // namespace starling
