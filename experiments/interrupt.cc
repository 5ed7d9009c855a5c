#include "experiments/interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <utility>

namespace starling {
namespace {

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  return set;
}

}  // namespace

InterruptWatcher::InterruptWatcher(SignalActions actions) {
  const sigset_t set = Signals();
  signal(SIGINT,
         SIG_DFL);  // a shell's background jobs ignore it, and then it could not be waited for
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this, actions = std::move(actions)] {
    const sigset_t waited = Signals();
    const timespec patience{2, 0};
    int count = 0;
    bool overdue = false;
    while (true) {
      const bool impatient = count == 1 && !overdue;
      const int received = sigtimedwait(&waited, nullptr, impatient ? &patience : nullptr);
      if (ending_) return;
      if (received < 0 && errno == EAGAIN) {
        overdue = true;
        actions.overdue();
      } else if (received == SIGUSR2) {
        actions.report();
      } else if (received > 0) {
        ++count == 1 ? actions.first(received) : actions.second();
      }
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
