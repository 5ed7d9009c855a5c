#include "comm/threads/mailbox.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/buffer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Duration kShort = absl::Milliseconds(50);

Buffer Whole(std::vector<float>* values) { return AsBuffer(absl::MakeSpan(*values)); }

// A mailbox and the exchanges posted to it, which it takes back at the end as a Work would.
class MailboxTest : public testing::Test {
 protected:
  ~MailboxTest() override {
    for (const auto& exchange : posted_) mailbox_.Cancel(exchange);
  }

  std::shared_ptr<Exchanging> Post(int rank, std::vector<Send> sends, std::vector<Receive> receives,
                                   absl::Duration patience = absl::InfiniteDuration()) {
    ExchangeOptions options;
    options.deadline = patience;
    auto exchange = std::make_shared<Exchanging>(rank, sends, receives, options);
    mailbox_.Post(exchange);
    posted_.push_back(exchange);
    return exchange;
  }

  std::vector<float> a_ = {1, 2, 3}, b_ = {4, 5, 6}, c_ = {0, 0, 0}, d_ = {0, 0, 0};
  Mailbox mailbox_{3};
  ComputeSlots slots_{3};
  std::vector<std::shared_ptr<Exchanging>> posted_;
};

TEST_F(MailboxTest, DeliversWhoeverComesFirst) {
  const auto send = Post(0, {{1, {1, 0, 0, 0}, Whole(&a_)}}, {});
  EXPECT_FALSE(mailbox_.Done(*send));
  const auto receive = Post(1, {}, {{0, {1, 0, 0, 0}, Whole(&c_)}});
  EXPECT_TRUE(mailbox_.Done(*send));
  EXPECT_TRUE(mailbox_.Done(*receive));
  EXPECT_EQ(c_, a_);

  const auto early = Post(1, {}, {{0, {1, 1, 0, 0}, Whole(&d_)}});
  EXPECT_FALSE(mailbox_.Done(*early));
  Post(0, {{1, {1, 1, 0, 0}, Whole(&b_)}}, {});
  EXPECT_TRUE(mailbox_.Wait(*early, &slots_).ok());
  EXPECT_EQ(d_, b_);
}

TEST_F(MailboxTest, NothingToDoIsDone) {
  const auto nothing = Post(0, {}, {});
  EXPECT_TRUE(mailbox_.Done(*nothing));
  EXPECT_TRUE(mailbox_.Wait(*nothing, &slots_).ok());
}

TEST_F(MailboxTest, MatchesByEveryPartOfTheKeyAndBySender) {
  const MessageKey key{1, 7, 2, 3};
  const MessageKey others[] = {{2, 7, 2, 3}, {1, 8, 2, 3}, {1, 7, 1, 3}, {1, 7, 2, 0}};
  const auto receive = Post(1, {}, {{0, key, Whole(&c_)}});
  for (const MessageKey& other : others) Post(0, {{1, other, Whole(&b_)}}, {});
  Post(2, {{1, key, Whole(&b_)}}, {});
  EXPECT_FALSE(mailbox_.Done(*receive));
  Post(0, {{1, key, Whole(&a_)}}, {});
  EXPECT_TRUE(mailbox_.Done(*receive));
  EXPECT_EQ(c_, a_);
}

TEST_F(MailboxTest, SendsToItself) {
  const auto both = Post(1, {{1, {}, Whole(&a_)}}, {{1, {}, Whole(&c_)}});
  EXPECT_TRUE(mailbox_.Done(*both));
  EXPECT_EQ(c_, a_);
}

TEST_F(MailboxTest, AnyoneTakesWhatComesFirst) {
  Post(2, {{1, {}, Whole(&b_)}}, {});
  Post(0, {{1, {}, Whole(&a_)}}, {});
  const auto receive = Post(1, {}, {{kAnyone, {}, Whole(&c_)}, {kAnyone, {}, Whole(&d_)}});
  ASSERT_TRUE(mailbox_.Done(*receive));
  EXPECT_EQ(receive->arrivals[0].from, 2);
  EXPECT_EQ(c_, b_);
  EXPECT_EQ(receive->arrivals[1].from, 0);
  EXPECT_EQ(d_, a_);
}

TEST_F(MailboxTest, ShortMessagesSayTheirCount) {
  const auto receive = Post(1, {}, {{0, {}, Whole(&c_)}});
  Post(0, {{1, {}, Whole(&a_).Slice(0, 2)}}, {});
  EXPECT_TRUE(mailbox_.Wait(*receive, &slots_).ok());
  EXPECT_EQ(receive->arrivals[0].count, 2);
  EXPECT_THAT(c_, ElementsAre(1, 2, 0));
}

TEST_F(MailboxTest, LongMessagesFailAtTheReceiver) {
  const auto receive = Post(1, {}, {{0, {}, Whole(&c_).Slice(0, 2)}});
  const auto send = Post(0, {{1, {}, Whole(&a_)}}, {});
  EXPECT_TRUE(mailbox_.Wait(*send, &slots_).ok());
  const absl::Status status = mailbox_.Wait(*receive, &slots_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(),
            "worker 1 has room for 8 bytes of stream 0, round 0, bucket 0, part 0, worker 0 sent "
            "12");
  EXPECT_THAT(c_, ElementsAre(0, 0, 0));
}

TEST_F(MailboxTest, TheDeadlineNamesAllThatIsMissing) {
  const auto both =
      Post(0, {{1, {1, 2, 3, 4}, Whole(&a_)}, {2, {1, 2, 3, 4}, Whole(&a_)}},
           {{kAnyone, {5, 6, 7, 8}, Whole(&c_)}, {2, {5, 6, 7, 9}, Whole(&d_)}}, kShort);
  Post(2, {}, {{0, {1, 2, 3, 4}, Whole(&b_)}});
  const absl::Status status = mailbox_.Wait(*both, &slots_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status.message(),
            "worker 0 waited 50ms for anyone to send stream 5, round 6, bucket 7, part 8; "
            "worker 2 to send stream 5, round 6, bucket 7, part 9; "
            "worker 1 to take stream 1, round 2, bucket 3, part 4");
}

TEST_F(MailboxTest, VeryLongDeadlinesAreNoDeadlines) {
  const auto receive = Post(1, {}, {{0, {}, Whole(&c_)}}, absl::Hours(24.0 * 365 * 10000));
  std::thread sender([&] { Post(0, {{1, {}, Whole(&a_)}}, {}); });
  EXPECT_TRUE(mailbox_.Wait(*receive, &slots_).ok());
  sender.join();
}

TEST_F(MailboxTest, CancelledReceivesLeaveTheMessageToTheNext) {
  mailbox_.Cancel(Post(1, {}, {{0, {}, Whole(&c_)}}));
  const auto send = Post(0, {{1, {}, Whole(&a_)}}, {});
  EXPECT_FALSE(mailbox_.Done(*send));
  Post(1, {}, {{0, {}, Whole(&d_)}});
  EXPECT_TRUE(mailbox_.Done(*send));
  EXPECT_THAT(c_, ElementsAre(0, 0, 0));
  EXPECT_EQ(d_, a_);
}

TEST_F(MailboxTest, CancelledSendsAreNeverDelivered) {
  mailbox_.Cancel(Post(0, {{1, {}, Whole(&a_)}}, {}));
  const auto receive = Post(1, {}, {{0, {}, Whole(&c_)}});
  EXPECT_FALSE(mailbox_.Done(*receive));
  Post(0, {{1, {}, Whole(&b_)}}, {});  // the key is free again
  EXPECT_TRUE(mailbox_.Done(*receive));
  EXPECT_EQ(c_, b_);
}

TEST_F(MailboxTest, AbortEndsWaitingNowAndLater) {
  const auto finished = Post(0, {{0, {}, Whole(&a_)}}, {{0, {}, Whole(&c_)}});
  const auto waiting = Post(1, {}, {{0, {}, Whole(&d_)}});
  std::thread other([&] { mailbox_.Abort(absl::NotFoundError("no data")); });
  EXPECT_EQ(mailbox_.Wait(*waiting, &slots_), absl::AbortedError("no data"));
  other.join();
  mailbox_.Abort(absl::InternalError("later"));
  EXPECT_TRUE(mailbox_.Done(*waiting));
  const auto next = Post(2, {}, {{0, {}, Whole(&d_)}}, kShort);
  EXPECT_EQ(mailbox_.Wait(*next, &slots_), absl::AbortedError("no data"));
  EXPECT_TRUE(mailbox_.Wait(*finished, &slots_).ok());  // what has arrived stays good
}

TEST_F(MailboxTest, SendingAKeyTwiceDies) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Post(0, {{1, {1, 2, 3, 4}, Whole(&a_)}}, {});
  EXPECT_DEATH(Post(0, {{1, {1, 2, 3, 4}, Whole(&b_)}}, {}),
               "worker 0 sends stream 1, round 2, bucket 3, part 4 to worker 1 twice");
}

TEST(ComputeSlots, LetsNoMoreWorkersCompute) {
  ComputeSlots slots(2);
  std::atomic<int> computing{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        slots.Acquire();
        const int now = ++computing;
        int seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        --computing;
        slots.Release();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 2);
}

// A copy of this size takes longer than Cancel takes to come. The receive that nobody answers makes
// it the cancelled copy, not the finished exchange, that Cancel hears of.
TEST(MailboxStress, CancelWaitsForTheCopyUnderWay) {
  constexpr int kCount = 1 << 23;
  Mailbox mailbox(2);
  std::vector<float> out(kCount, 1), in(kCount), nothing;
  const std::vector<Receive> receives = {{0, {1, 0, 0, 0}, Whole(&in)},
                                         {0, {1, 0, 0, 1}, Whole(&nothing)}};
  auto receive =
      std::make_shared<Exchanging>(1, absl::Span<const Send>(), receives, ExchangeOptions());
  mailbox.Post(receive);
  const std::vector<Send> sends = {{1, {1, 0, 0, 0}, Whole(&out)}};
  auto send =
      std::make_shared<Exchanging>(0, sends, absl::Span<const Receive>(), ExchangeOptions());
  std::atomic<bool> started{false};
  std::thread sender([&] {
    started = true;
    mailbox.Post(send);
  });
  while (!started) std::this_thread::yield();
  for (int i = 0; i < 200; ++i) mailbox.Done(*receive);
  mailbox.Cancel(receive);
  EXPECT_EQ(std::count(in.begin(), in.end(), in[0]), kCount) << "all or nothing";
  sender.join();
  mailbox.Cancel(send);
}

// Both sides post at about the same moment, cancel at another and use their buffers again at once,
// while the other side may be copying. A message arrives as a whole or not at all. Each side has
// another message that nobody wants, but in every eighth round, which waits for its message.
TEST(MailboxStress, CancelsAtAnyMoment) {
  constexpr int kRounds = 200;
  constexpr int kCount = 200000;
  Mailbox mailbox(2);
  std::atomic<int64_t> arrived{0};
  std::atomic<int> delivered{0};
  const auto side = [&](int rank) {
    std::vector<float> values(kCount), nothing;
    for (int64_t round = 0; round < kRounds; ++round) {
      values.assign(kCount, rank == 0 ? static_cast<float>(round) : -1.0f);
      ++arrived;
      while (arrived < 2 * (round + 1)) std::this_thread::yield();
      const bool patient = round % 8 == 0;
      std::vector<Send> sends;
      std::vector<Receive> receives;
      const MessageKey key{1, round, 0, 0}, unwanted{1, round, 0, 1};
      if (rank == 0) {
        sends = {{1, key, Whole(&values)}};
        if (!patient) sends.push_back({1, unwanted, Whole(&nothing)});
      } else {
        receives = {{0, key, Whole(&values)}};
        if (!patient) receives.push_back({1, unwanted, Whole(&nothing)});
      }
      auto exchange = std::make_shared<Exchanging>(rank, sends, receives, ExchangeOptions());
      mailbox.Post(exchange);
      for (int i = 0; (patient || i < round % 8) && !mailbox.Done(*exchange); ++i) {
        std::this_thread::yield();
      }
      mailbox.Cancel(exchange);
      if (rank == 0) continue;
      const float first = values[0];
      EXPECT_TRUE(first == -1 || first == static_cast<float>(round));
      EXPECT_EQ(std::count(values.begin(), values.end(), first), kCount);
      if (first != -1) ++delivered;
    }
  };
  std::thread sender(side, 0);
  side(1);
  sender.join();
  EXPECT_GE(delivered, kRounds / 8);
}

}  // namespace
}  // namespace starling
