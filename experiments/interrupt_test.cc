#include "experiments/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <future>

#include "gtest/gtest.h"

namespace starling {
namespace {

bool Blocked(int signal) {
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

TEST(InterruptWatcherTest, FirstAndSecondSignalReachTheirFunctions) {
  std::promise<int> first;
  std::promise<void> second, third;
  int seconds = 0;
  InterruptWatcher watcher({[&](int signal) { first.set_value(signal); }, [] {},
                            [&] { (++seconds == 1 ? second : third).set_value(); }, [] {}});
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  EXPECT_EQ(first.get_future().get(), SIGTERM);
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  second.get_future().get();
  ASSERT_EQ(kill(getpid(), SIGINT), 0);  // a third is like the second
  third.get_future().get();
}

TEST(InterruptWatcherTest, ReportsWithoutStopping) {
  std::promise<void> report, first;
  InterruptWatcher watcher(
      {[&](int) { first.set_value(); }, [] {}, [] {}, [&] { report.set_value(); }});
  ASSERT_EQ(kill(getpid(), SIGUSR2), 0);
  report.get_future().get();
  ASSERT_EQ(kill(getpid(), SIGUSR1), 0);
  first.get_future().get();
}

TEST(InterruptWatcherTest, SaysWhenStoppingTakesLong) {
  std::promise<void> overdue;
  InterruptWatcher watcher({[](int) {}, [&] { overdue.set_value(); }, [] {}, [] {}});
  ASSERT_EQ(kill(getpid(), SIGINT), 0);
  overdue.get_future().get();
}

TEST(InterruptWatcherTest, DestructorCallsNobodyAndRestores) {
  int calls = 0;
  {
    const auto call = [&] { ++calls; };
    InterruptWatcher watcher({[&](int) { call(); }, call, call, call});
    EXPECT_TRUE(Blocked(SIGINT));
    EXPECT_TRUE(Blocked(SIGTERM));
  }
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(Blocked(SIGINT));
  EXPECT_FALSE(Blocked(SIGTERM));
}

TEST(InterruptWatcherTest, AnotherOneMayFollow) {
  for (int i = 0; i < 3; ++i) {
    std::promise<void> first;
    InterruptWatcher watcher({[&](int) { first.set_value(); }, [] {}, [] {}, [] {}});
    ASSERT_EQ(kill(getpid(), SIGINT), 0);
    first.get_future().get();
  }
}

TEST(InterruptWatcherDeathTest, AfterwardsASignalEndsTheProcessAgain) {
  EXPECT_EXIT(
      {
        {
          InterruptWatcher watcher({[](int) {}, [] {}, [] {}, [] {}});
        }
        raise(SIGINT);
      },
      testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace starling
