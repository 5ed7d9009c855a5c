#include "experiments/hang_report.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "core/clock.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const absl::Duration kPatience = absl::Seconds(20);

TEST(HangReport, DescribesTheWorkersOfThisProcess) {
  std::string page;
  HangReport report(nullptr, [&](const std::string& text) { page = text; });
  Recorder first(0, 2, &WallClock()), second(1, 2, &WallClock());
  report.Attach(0, &first);
  report.Attach(1, &second);
  first.BeginStep(7);
  first.WaitBegins([] { return std::string("worker 1 to send everything"); });
  report.Write("why");
  EXPECT_THAT(page, StartsWith("why\n\nworker 0, step 7: waits for worker 1 to send everything"));
  EXPECT_THAT(page, HasSubstr("worker 1, before step 0: in outside"));
  report.Detach(0);
  report.Write("again");
  EXPECT_THAT(page, StartsWith("again\n\nworker 1"));
}

// Process 2 does not listen: it stands for one that is stopped.
TEST(HangReport, AsksAllProcessesAndNamesTheSilentOne) {
  auto lead = ControlChannel::Listen(3);
  CHECK_OK(lead);
  const std::string address = (*lead)->address();
  std::string page;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      auto channel = i == 0 ? std::move(lead) : ControlChannel::Join(address, i, kPatience);
      CHECK_OK(channel);
      ProcessGroup group(*std::move(channel));
      HangReport report(&group, [&](const std::string& text) { page = text; });
      Recorder recorder(i, 3, &WallClock());
      report.Attach(i, &recorder);
      CHECK_OK(group.Start([](const absl::Status&) {}, kPatience));
      if (i < 2) {
        group.Listen([&](int from, const std::string& bytes) {
          RunMessage message;
          if (message.ParseFromString(bytes)) report.OnMessage(from, message);
        });
      }
      if (i == 1) report.Write("worker 1 has waited too long");
      CHECK_OK(group.Finish(absl::OkStatus()));
      group.Listen(nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(
      page, AllOf(StartsWith("worker 1 has waited too long\n\nworker 0, before step 0"),
                  HasSubstr("\nworker 1, before step 0"), HasSubstr("\nworker 2 does not answer")));
}

}  // namespace
}  // namespace starling
