#include "experiments/interrupt.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace starling {
namespace {

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

InterruptWatcher::InterruptWatcher(std::function<void()> first, std::function<void()> second) {
  const sigset_t set = Signals();
  signal(SIGINT,
         SIG_DFL);  // a shell's background jobs ignore it, and then it could not be waited for
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this, first = std::move(first), second = std::move(second)] {
    const sigset_t waited = Signals();
    for (int count = 1;; ++count) {
      int received = 0;
      sigwait(&waited, &received);
      if (ending_) return;
      count == 1 ? first() : second();
    }
  });
}

InterruptWatcher::~InterruptWatcher() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
  const sigset_t set = Signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace starling
