#include "core/clock.h"

#include <time.h>

#include <cerrno>
#include <chrono>

namespace starling {
namespace {

class SteadyClock final : public Clock {
 public:
  double NowSeconds() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void SleepUntil(double seconds) override {
    // steady_clock is CLOCK_MONOTONIC. An absolute time: interruptions delay nothing.
    timespec until;
    until.tv_sec = static_cast<time_t>(seconds);
    until.tv_nsec = static_cast<long>((seconds - static_cast<double>(until.tv_sec)) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
  }
};

}  // namespace

Clock& WallClock() {
  static SteadyClock* clock = new SteadyClock;
  return *clock;
}

}  // namespace starling
