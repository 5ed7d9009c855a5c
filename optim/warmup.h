// Linear warm-up, common to all schedules:
//
//   factor(t) = f + (1 - f) (t + 1) / w     for the steps t = 0 ... w - 1
//
// so that step w - 1 has the full learning rate. It stands in front of what a schedule does
// afterwards; the two are not multiplied.
#ifndef OPTIM_WARMUP_H_
#define OPTIM_WARMUP_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "optim/schedule.h"
#include "optim/warmup.pb.h"

namespace starling {

class LinearWarmup {
 public:
  // `default_steps` counts if the (resolved) config gives no length. INVALID_ARGUMENT if it gives
  // two, or epochs to a run that has none.
  static absl::StatusOr<LinearWarmup> Create(const Warmup& config, const Schedule::Context& context,
                                             int64_t default_steps = 0);

  int64_t steps() const { return steps_; }
  bool Covers(int64_t step) const { return step < steps_; }

  // The factor at `step`, which must be covered.
  double Factor(int64_t step) const;

 private:
  LinearWarmup(int64_t steps, double factor) : steps_(steps), factor_(factor) {}

  int64_t steps_;
  double factor_;
};

}  // namespace starling

#endif  // OPTIM_WARMUP_H_
