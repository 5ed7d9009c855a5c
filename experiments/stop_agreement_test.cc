#include "experiments/stop_agreement.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

const absl::Duration kPatience = absl::Seconds(20);

TEST(StopAgreement, StepsThatSomeWorkerHasBegunAreMadeByAll) {
  StopAgreement stop(nullptr, 2);
  EXPECT_TRUE(stop.Enter(0, 0));
  EXPECT_TRUE(stop.Enter(1, 0));
  EXPECT_TRUE(stop.Enter(0, 1));
  EXPECT_FALSE(stop.reason().has_value());
  stop.Request(StopReason::kOutOfTime);
  stop.Request(StopReason::kRequested);
  EXPECT_EQ(stop.reason(), StopReason::kOutOfTime);
  EXPECT_TRUE(stop.Enter(1, 1));
  EXPECT_FALSE(stop.Enter(0, 2));
  EXPECT_FALSE(stop.Enter(1, 2));
}

TEST(StopAgreement, EndsWhereItWasPlannedOrBefore) {
  const PlannedEnd end{2, StopReason::kOutOfTime};
  StopAgreement planned(nullptr, 1, end);
  EXPECT_TRUE(planned.Enter(0, 0));
  EXPECT_TRUE(planned.Enter(0, 1));
  EXPECT_FALSE(planned.Enter(0, 2));
  EXPECT_EQ(planned.reason(), StopReason::kOutOfTime);
  StopAgreement asked(nullptr, 1, end);
  EXPECT_TRUE(asked.Enter(0, 0));
  asked.Request(StopReason::kRequested);
  EXPECT_FALSE(asked.Enter(0, 1));
  EXPECT_EQ(asked.reason(), StopReason::kRequested);
}

// Every process is one worker that takes `steps[worker]` steps freely before `asker` asks to stop;
// returns how many steps each has made in the end.
std::vector<int64_t> StepsMade(const std::vector<int64_t>& steps, int asker) {
  const int n = static_cast<int>(steps.size());
  auto lead = ControlChannel::Listen(n);
  CHECK_OK(lead);
  const std::string address = (*lead)->address();
  std::vector<int64_t> made(n);
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      auto channel = i == 0 ? std::move(lead) : ControlChannel::Join(address, i, kPatience);
      CHECK_OK(channel);
      ProcessGroup group(*std::move(channel));
      StopAgreement stop(&group, n);
      group.Listen([&](int from, const std::string& bytes) {
        RunMessage message;
        if (message.ParseFromString(bytes)) stop.OnMessage(from, message);
      });
      CHECK_OK(group.Start([](const absl::Status&) {}, kPatience));
      while (made[i] < steps[i] && stop.Enter(i, made[i])) ++made[i];
      if (i == asker) stop.Request(StopReason::kRequested);
      while (!stop.reason().has_value()) std::this_thread::yield();
      while (stop.Enter(i, made[i])) ++made[i];
      EXPECT_EQ(stop.reason(), StopReason::kRequested);
      CHECK_OK(group.Finish(absl::OkStatus()));
      group.Listen(nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return made;
}

TEST(StopAgreement, ProcessesStopAtTheSameStep) {
  for (int asker : {0, 1, 2}) {
    const auto made = StepsMade({3, 9, 5}, asker);
    EXPECT_EQ(made[1], made[0]);
    EXPECT_EQ(made[2], made[0]);
    EXPECT_LE(made[0], 9);
    EXPECT_GE(made[0], asker == 1 ? 9 : 3);
  }
}

TEST(StopAgreement, AFailureReleasesThoseWhoAreHeld) {
  StopAgreement stop(nullptr, 1);
  RunMessage hold;
  hold.mutable_hold();
  auto lead = ControlChannel::Listen(1);
  CHECK_OK(lead);
  ProcessGroup group(*std::move(lead));
  StopAgreement held(&group, 1);
  std::thread worker([&] { held.Enter(0, 0); });
  held.Release();
  worker.join();
}

}  // namespace
}  // namespace starling
