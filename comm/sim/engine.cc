#include "comm/sim/engine.h"

#include <signal.h>

#include <utility>
#include <vector>

#include "glog/logging.h"
#include "simgrid/s4u.hpp"

namespace starling {
namespace {

namespace s4u = simgrid::s4u;

// SimGrid's own handlers would replace the program's.
class KeptSignals {
 public:
  KeptSignals() {
    sigaction(SIGINT, nullptr, &interrupt_);
    sigaction(SIGSEGV, nullptr, &fault_);
  }
  ~KeptSignals() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGSEGV, &fault_, nullptr);
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction fault_ {};
};

}  // namespace

Engine::Engine(Stacks stacks) {
  CHECK(!s4u::Engine::has_instance()) << "two simulations at a time";
  // CM02 alone: no penalty for traffic in both directions, no window of TCP.
  std::vector<std::string> options = {
      "starling",
      "--log=root.thresh:critical",
      "--cfg=network/model:CM02",
      "--cfg=network/crosstraffic:0",
      "--cfg=network/TCP-gamma:0",
      "--cfg=contexts/stack-size:256",
      std::string("--cfg=contexts/factory:") + (stacks == Stacks::kThreads ? "thread" : "raw")};
  std::vector<char*> arguments;
  for (std::string& option : options) arguments.push_back(option.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  const KeptSignals kept;
  new s4u::Engine(&count, arguments.data());  // becomes the instance
}

Engine::~Engine() {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  s4u::Engine::get_instance()->shutdown();
#pragma GCC diagnostic pop
}

void Engine::Spawn(const std::string& name, simgrid::s4u::Host* host, std::function<void()> body) {
  s4u::Actor::create(name, host, std::move(body));
}

void Engine::Run() {
  const KeptSignals kept;
  s4u::Engine::get_instance()->run();
}

VirtualClock::VirtualClock() : start_(s4u::Engine::get_clock()) {}

double VirtualClock::NowSeconds() { return s4u::Engine::get_clock() - start_; }

void VirtualClock::SleepUntil(double seconds) {
  if (seconds > NowSeconds()) s4u::this_actor::sleep_until(start_ + seconds);
}

}  // namespace starling
