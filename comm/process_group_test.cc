#include "comm/process_group.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;

const absl::Duration kPatience = absl::Seconds(20);

// Groups of `processes`, each in a thread of its own, which runs `body` and ends with what it
// returns. Returns what Finish returned, by process.
std::vector<absl::Status> RunGroup(int processes,
                                   const std::function<absl::Status(ProcessGroup*)>& body,
                                   std::vector<std::string>* aborts = nullptr) {
  auto lead = ControlChannel::Listen(processes);
  CHECK_OK(lead);
  const std::string address = (*lead)->address();
  std::vector<absl::Status> results(processes);
  if (aborts != nullptr) aborts->resize(processes);
  std::vector<std::unique_ptr<ProcessGroup>> groups(processes);
  std::vector<std::thread> threads;
  for (int i = 0; i < processes; ++i) {
    threads.emplace_back([&, i] {
      auto channel = i == 0 ? std::move(lead) : ControlChannel::Join(address, i, kPatience);
      CHECK_OK(channel);
      groups[i] = std::make_unique<ProcessGroup>(*std::move(channel));
      CHECK_OK(groups[i]->Start(
          [&, i](const absl::Status& reason) {
            if (aborts != nullptr) (*aborts)[i] += std::string(reason.message());
          },
          kPatience));
      results[i] = groups[i]->Finish(body(groups[i].get()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

TEST(ProcessGroup, AllEndWell) {
  EXPECT_THAT(RunGroup(3, [](ProcessGroup*) { return absl::OkStatus(); }),
              ElementsAre(absl::OkStatus(), absl::OkStatus(), absl::OkStatus()));
  EXPECT_THAT(RunGroup(1, [](ProcessGroup*) { return absl::OkStatus(); }),
              ElementsAre(absl::OkStatus()));
}

TEST(ProcessGroup, OneErrorIsEveryonesResult) {
  const absl::Status error = absl::NotFoundError("worker 2: no data");
  std::vector<std::string> aborts;
  const auto results = RunGroup(
      3,
      [&](ProcessGroup* group) {
        return group->process() == 2 ? error : absl::AbortedError("because of another");
      },
      &aborts);
  EXPECT_THAT(results, ElementsAre(error, error, error));
  for (const std::string& reason : aborts) EXPECT_NE(reason, "");
}

TEST(ProcessGroup, AnAbortReachesAllWithItsReasonAndOnce) {
  std::vector<std::string> aborts;
  RunGroup(
      3,
      [&](ProcessGroup* group) {
        if (group->process() == 1) {
          group->Abort(absl::InternalError("enough"));
          group->Abort(absl::InternalError("more than enough"));
        }
        return absl::OkStatus();
      },
      &aborts);
  EXPECT_THAT(aborts, ElementsAre("enough", "enough", "enough"));
}

TEST(ProcessGroup, MessagesWaitForTheirListener) {
  std::vector<std::string> heard;
  RunGroup(2, [&](ProcessGroup* group) {
    if (group->process() == 1) {
      group->Tell(0, "one");
      group->TellAll("two");
      return absl::OkStatus();
    }
    std::mutex mutex;
    std::condition_variable changed;
    group->Listen([&](int from, const std::string& message) {
      std::lock_guard<std::mutex> lock(mutex);
      heard.push_back(std::to_string(from) + message);
      changed.notify_all();
    });
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return heard.size() == 2; });
    lock.unlock();
    group->Listen(nullptr);
    return absl::OkStatus();
  });
  EXPECT_THAT(heard, ElementsAre("1one", "1two"));
}

TEST(ProcessGroup, TheBackendTalksBesideWhoeverRunsOnTop) {
  const auto body = [](ProcessGroup* group) {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> above, below;
    const auto into = [&](std::vector<std::string>* heard) {
      return [&mutex, &changed, heard](int from, const std::string& message) {
        std::lock_guard<std::mutex> lock(mutex);
        heard->push_back(absl::StrCat(from, message));
        changed.notify_all();
      };
    };
    group->Listen(into(&above));
    group->ListenAsBackend(into(&below));
    const int other = 1 - group->process();
    group->TellAsBackend(other, "b");
    group->Tell(other, "a");
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return above.size() + below.size() == 2; });
    EXPECT_THAT(above, ElementsAre(absl::StrCat(other, "a")));
    EXPECT_THAT(below, ElementsAre(absl::StrCat(other, "b")));
    lock.unlock();
    group->Listen(nullptr);
    group->ListenAsBackend(nullptr);
    return absl::OkStatus();
  };
  EXPECT_THAT(RunGroup(2, body), ElementsAre(absl::OkStatus(), absl::OkStatus()));
}

}  // namespace
}  // namespace starling
