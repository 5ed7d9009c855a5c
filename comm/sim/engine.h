// SimGrid's engine: one at a time in a process, alive while this lives.
#ifndef COMM_SIM_ENGINE_H_
#define COMM_SIM_ENGINE_H_

#include <functional>
#include <string>

#include "core/clock.h"

namespace simgrid::s4u {
class Host;
}  // namespace simgrid::s4u

namespace starling {

class Engine {
 public:
  // How actors keep their stacks. Threads: for libraries that keep state per thread (LibTorch).
  // Raw: much faster.
  enum class Stacks { kThreads, kRaw };

  explicit Engine(Stacks stacks);
  ~Engine();

  void Spawn(const std::string& name, simgrid::s4u::Host* host, std::function<void()> body);

  // Returns when all actors have ended. They run one at a time.
  void Run();
};

// Virtual seconds since it was made. Actors sleep on it.
class VirtualClock final : public Clock {
 public:
  VirtualClock();
  double NowSeconds() override;
  void SleepUntil(double seconds) override;

 private:
  double start_;  // an engine goes on with the time of the one before it
};

}  // namespace starling

#endif  // COMM_SIM_ENGINE_H_
