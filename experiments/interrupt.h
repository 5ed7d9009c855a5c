// Signals: Ctrl-C once asks the run to stop after the step under way, twice stops at once, and so
// do SIGTERM and SIGUSR1, which schedulers send before they end a job; SIGUSR2 asks what it is
// doing.
#ifndef EXPERIMENTS_INTERRUPT_H_
#define EXPERIMENTS_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <thread>

namespace starling {

// What signals mean. Called on the watcher's own thread, where ordinary code may run.
struct SignalActions {
  std::function<void(int signal)> first;  // SIGINT, SIGTERM or SIGUSR1
  std::function<void()> overdue;  // two seconds after `first`, if the watcher is still there
  std::function<void()> second;   // another one
  std::function<void()> report;   // SIGUSR2
};

// While it lives, these signals reach `actions` instead of ending the process. Make it before any
// other thread: threads made later inherit that they do not get these signals.
class InterruptWatcher {
 public:
  explicit InterruptWatcher(SignalActions actions);
  ~InterruptWatcher();

 private:
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace starling

#endif  // EXPERIMENTS_INTERRUPT_H_
