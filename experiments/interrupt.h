// Ctrl-C: once asks the run to stop after the step under way, twice stops at once.
#ifndef EXPERIMENTS_INTERRUPT_H_
#define EXPERIMENTS_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <thread>

namespace starling {

// While it lives, SIGINT and SIGTERM reach `first` and then `second` instead of ending the
// process, on a thread of the watcher's own, where ordinary code may run. Make it before any other
// thread: threads made later inherit that they do not get these signals.
class InterruptWatcher {
 public:
  InterruptWatcher(std::function<void()> first, std::function<void()> second);
  ~InterruptWatcher();

 private:
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace starling

#endif  // EXPERIMENTS_INTERRUPT_H_
