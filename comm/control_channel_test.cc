#include "comm/control_channel.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Duration kPatience = absl::Seconds(20);

// What one end has been told.
class Log {
 public:
  ControlChannel::Events Events() {
    return {[this](int from, std::string message) {
              Add(std::to_string(from) + ":" + message.substr(0, 20));
            },
            [this](int process, std::string who) {
              {
                std::lock_guard<std::mutex> lock(mutex_);
                who_ = who;
              }
              Add("lost " + std::to_string(process));
            }};
  }

  void Add(std::string entry) {
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(std::move(entry));
    changed_.notify_all();
  }

  std::vector<std::string> Await(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, absl::ToChronoSeconds(kPatience),
                      [&] { return entries_.size() >= count; });
    return entries_;
  }

  std::string who() {
    std::lock_guard<std::mutex> lock(mutex_);
    return who_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> entries_;
  std::string who_;
};

std::unique_ptr<ControlChannel> Listen(int processes) {
  auto channel = ControlChannel::Listen(processes);
  CHECK_OK(channel);
  return *std::move(channel);
}

std::unique_ptr<ControlChannel> Join(const ControlChannel& lead, int process, Log* log) {
  std::unique_ptr<ControlChannel> joined;
  std::thread([&] {
    auto channel = ControlChannel::Join(lead.address(), process, kPatience);
    CHECK_OK(channel);
    CHECK_OK((*channel)->Start(log->Events(), kPatience));
    joined = *std::move(channel);
  }).join();
  return joined;
}

// A lead and one other in this process.
class ControlChannelTest : public testing::Test {
 protected:
  ControlChannelTest() {
    lead_ = Listen(2);
    std::thread start([this] { CHECK_OK(lead_->Start(of_lead_.Events(), kPatience)); });
    other_ = Join(*lead_, 1, &of_other_);
    start.join();
  }

  Log of_lead_, of_other_;
  std::unique_ptr<ControlChannel> lead_, other_;
};

TEST_F(ControlChannelTest, CarriesMessagesInOrder) {
  EXPECT_EQ(lead_->process(), 0);
  EXPECT_EQ(other_->process(), 1);
  EXPECT_EQ(other_->processes(), 2);
  lead_->Send(1, "a");
  lead_->SendToAll("");
  lead_->Send(1, std::string(5 << 20, 'c'));
  EXPECT_THAT(of_other_.Await(3), ElementsAre("0:a", "0:", "0:cccccccccccccccccccc"));
  other_->SendToAll("x");
  other_->Send(0, "y");
  EXPECT_THAT(of_lead_.Await(2), ElementsAre("1:x", "1:y"));
}

TEST_F(ControlChannelTest, AFarewellIsNoLoss) {
  other_->Send(0, "last words");
  other_->Close();
  EXPECT_THAT(of_lead_.Await(1), ElementsAre("1:last words"));
  other_.reset();
  lead_->Send(1, "nobody hears this");
  lead_->Close();
  EXPECT_THAT(of_lead_.Await(1), ElementsAre("1:last words"));
  EXPECT_THAT(of_other_.Await(0), IsEmpty());
}

TEST(ControlChannel, AKilledProcessIsNoticedAndNamed) {
  auto lead = Listen(3);
  std::vector<pid_t> children;
  for (int process : {1, 2}) {
    const pid_t child = fork();
    if (child == 0) {
      auto channel = ControlChannel::Join(lead->address(), process, kPatience);
      if (channel.ok() && (*channel)->Start({}, kPatience).ok()) (*channel)->Send(0, "here");
      pause();
      _exit(1);
    }
    children.push_back(child);
  }
  Log log;
  ASSERT_EQ(lead->Start(log.Events(), kPatience), absl::OkStatus());
  log.Await(2);
  kill(children[1], SIGKILL);
  EXPECT_THAT(log.Await(3).back(), "lost 2");
  EXPECT_THAT(log.who(), HasSubstr("pid " + std::to_string(children[1]) + " on "));
  kill(children[0], SIGKILL);
  EXPECT_THAT(log.Await(4).back(), "lost 1");
  for (pid_t child : children) waitpid(child, nullptr, 0);
}

TEST(ControlChannel, StrangersAreTurnedAway) {
  auto lead = Listen(2);
  Log of_lead, of_other;
  std::thread start([&] { CHECK_OK(lead->Start(of_lead.Events(), kPatience)); });
  std::string wrong = lead->address();
  wrong[0] = wrong[0] == 'a' ? 'b' : 'a';
  const auto stranger = ControlChannel::Join(wrong, 1, absl::Milliseconds(10));
  EXPECT_EQ(stranger.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(stranger.status().ToString(), HasSubstr("process 1 (pid "));
  EXPECT_THAT(stranger.status().ToString(), HasSubstr("cannot reach process 0 at port "));
  auto other = Join(*lead, 1, &of_other);
  start.join();
  other->Send(0, "mine");
  EXPECT_THAT(of_lead.Await(1), ElementsAre("1:mine"));
}

TEST(ControlChannel, NamesWhoDoesNotCome) {
  auto lead = Listen(3);
  const absl::Status status = lead->Start({}, absl::Milliseconds(20));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.ToString(), HasSubstr("of 3 processes these have not come within 20ms: 1, 2"));
}

TEST(ControlChannel, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "word", "a b c d", "a 2 c d"}) {
    EXPECT_EQ(ControlChannel::Join(address, 1, kPatience).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace starling
