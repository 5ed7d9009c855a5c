// Learning-rate schedules: lr(step) = optimizer's lr * Factor(step).
#ifndef OPTIM_SCHEDULE_H_
#define OPTIM_SCHEDULE_H_

#include <cstdint>

namespace starling {

// A pure function of the step, equal on all workers.
class Schedule {
 public:
  static constexpr char kKind[] = "schedule";
  struct Context {
    int64_t steps = 0;  // planned length of the run
    int64_t steps_per_epoch = 0;
  };

  virtual ~Schedule() = default;
  virtual double Factor(int64_t step) const = 0;  // step >= 0; also beyond the planned length
};

}  // namespace starling

#endif  // OPTIM_SCHEDULE_H_
