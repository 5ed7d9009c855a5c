// Time as a worker sees it: the wall clock, or the virtual clock of a simulation. Only used to
// measure and to wait; no result depends on it.
#ifndef CORE_CLOCK_H_
#define CORE_CLOCK_H_

namespace starling {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual double NowSeconds() = 0;              // since some fixed point
  virtual void SleepUntil(double seconds) = 0;  // on the same scale
};

// The machine's monotonic clock. Lives as long as the program.
Clock& WallClock();

}  // namespace starling

#endif  // CORE_CLOCK_H_
