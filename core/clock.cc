#include "core/clock.h"

#include <chrono>
#include <thread>

namespace starling {
namespace {

class SteadyClock final : public Clock {
 public:
  double NowSeconds() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  void SleepUntil(double seconds) override {
    const double left = seconds - NowSeconds();
    if (left > 0) std::this_thread::sleep_for(std::chrono::duration<double>(left));
  }
};

}  // namespace

Clock& WallClock() {
  static SteadyClock* clock = new SteadyClock;
  return *clock;
}

}  // namespace starling
