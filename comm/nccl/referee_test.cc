#include "comm/nccl/referee.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWorkers = 4;

class RefereeTest : public testing::Test {
 protected:
  RefereeTest()
      : referee_(kWorkers, [this](int worker, const NcclOrder& order) {
          if (order.make_size() > 0) {
            if (worker == 0) made_.push_back(MembersOf(order));
          } else {
            orders_[worker].push_back(order);
          }
        }) {}

  static std::vector<int> MembersOf(const NcclOrder& order) {
    return {order.make(0).members().begin(), order.make(0).members().end()};
  }

  static NcclEnd End(int64_t number, int peer, int64_t round, int64_t bytes, bool on_card = true) {
    NcclEnd end;
    end.set_number(number);
    end.set_peer(peer);
    end.set_stream(1);
    end.set_round(round);
    end.set_bytes(bytes);
    end.set_on_card(on_card);
    return end;
  }

  void Send(int from, const NcclEnd& end) {
    NcclPost post;
    *post.add_sends() = end;
    referee_.OnPost(from, post);
  }
  void Receive(int at, const NcclEnd& end) {
    NcclPost post;
    *post.add_receives() = end;
    referee_.OnPost(at, post);
  }
  void Sum(int worker, int64_t number, const std::vector<int>& group, int64_t round = 0,
           int64_t count = 8, bool withdraws = false) {
    NcclPost post;
    post.set_withdraws(withdraws);
    NcclSum* sum = post.mutable_sum();
    sum->set_number(number);
    for (int member : group) sum->add_group(member);
    sum->set_round(round);
    sum->set_count(count);
    referee_.OnPost(worker, post);
  }

  // Numbers that have been ordered to move, in sequence.
  std::vector<int64_t> Moves(int worker) {
    std::vector<int64_t> numbers;
    for (const NcclOrder& order : orders_[worker]) {
      for (const auto& move : order.sends()) numbers.push_back(move.number());
      for (const auto& move : order.receives()) numbers.push_back(move.number());
    }
    return numbers;
  }

  std::string Mistake(int worker) {
    return orders_[worker].empty() ? "" : orders_[worker].back().mistake();
  }

  std::map<int, std::vector<NcclOrder>> orders_;  // by worker
  std::vector<std::vector<int>> made_;            // communicators
  Referee referee_;
};

TEST_F(RefereeTest, BringsEndsTogetherByKeyInTheSequenceInWhichTheyAreComplete) {
  Send(0, End(1, 1, /*round=*/5, 100));
  Send(0, End(2, 1, /*round=*/6, 200));
  EXPECT_THAT(orders_, IsEmpty());
  Receive(1, End(7, 0, /*round=*/6, 200));
  Receive(1, End(8, kAnyone, /*round=*/5, 300));
  EXPECT_THAT(Moves(0), ElementsAre(2, 1));
  EXPECT_THAT(Moves(1), ElementsAre(7, 8));
  const auto& move = orders_[1][1].receives(0);
  EXPECT_EQ(move.peer(), 0);
  EXPECT_EQ(move.bytes(), 100);
}

TEST_F(RefereeTest, BothDirectionsOfAPairGoTogether) {
  for (int worker : {0, 1}) {
    NcclPost post;
    *post.add_sends() = End(1, 1 - worker, 0, 100);
    *post.add_receives() = End(2, 1 - worker, 0, 100);
    referee_.OnPost(worker, post);
  }
  for (int worker : {0, 1}) {
    ASSERT_EQ(orders_[worker].size(), 1u);
    EXPECT_EQ(orders_[worker][0].sends_size(), 1);
    EXPECT_EQ(orders_[worker][0].receives_size(), 1);
  }
}

// In a ring each worker has two neighbours; with both in one lane a message would wait for another.
TEST_F(RefereeTest, NeighboursOfAWorkerHaveDifferentLanes) {
  for (int worker = 0; worker < kWorkers; ++worker) {
    NcclPost post;
    *post.add_sends() = End(1, (worker + 1) % kWorkers, 0, 100);
    *post.add_receives() = End(2, (worker + kWorkers - 1) % kWorkers, 0, 100);
    referee_.OnPost(worker, post);
  }
  for (int worker = 0; worker < kWorkers; ++worker) {
    std::set<int> lanes;
    for (const NcclOrder& order : orders_[worker]) {
      for (const auto& move : order.sends()) lanes.insert(move.communicator());
      for (const auto& move : order.receives()) lanes.insert(move.communicator());
    }
    EXPECT_EQ(lanes.size(), 2u) << worker;
  }
  EXPECT_THAT(made_, ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(0, 1, 2, 3)));
}

TEST_F(RefereeTest, MessagesOnTheHostBringTheirBytes) {
  NcclEnd send = End(1, 1, 0, 3, /*on_card=*/false);
  send.set_payload("abc");
  Send(0, send);
  Receive(1, End(7, 0, 0, 100, /*on_card=*/false));
  ASSERT_EQ(orders_[1].size(), 1u);
  const auto& arrival = orders_[1][0].arrivals(0);
  EXPECT_EQ(arrival.number(), 7);
  EXPECT_EQ(arrival.from(), 0);
  EXPECT_EQ(arrival.bytes(), 3);
  EXPECT_EQ(arrival.payload(), "abc");
  EXPECT_THAT(orders_[0], IsEmpty()) << "it has left its buffer long ago";
  EXPECT_THAT(made_, IsEmpty()) << "NCCL is not needed for that";
}

TEST_F(RefereeTest, WhatIsTooLongDoesNotMove) {
  Receive(1, End(7, 0, 0, 99));
  Send(0, End(1, 1, 0, 100));
  EXPECT_THAT(Moves(0), IsEmpty());
  EXPECT_THAT(orders_[0][0].taken(), ElementsAre(1));
  EXPECT_EQ(orders_[1][0].arrivals(0).bytes(), 100);
}

TEST_F(RefereeTest, SumsWaitForAllMembersAndKeepTheirCommunicator) {
  for (int64_t round : {0, 1}) {
    Sum(1, 10 + round, {1, 3}, round);
    EXPECT_EQ(orders_[1].size(), static_cast<size_t>(round));
    Sum(3, 20 + round, {1, 3}, round);
    EXPECT_EQ(orders_[1].back().sums(0).number(), 10 + round);
    EXPECT_EQ(orders_[3].back().sums(0).number(), 20 + round);
    EXPECT_EQ(orders_[3].back().sums(0).communicator(), 0);
  }
  EXPECT_THAT(made_, ElementsAre(ElementsAre(1, 3)));
}

TEST_F(RefereeTest, TakesBackWhatIsNotMatched) {
  NcclPost post;
  post.set_withdraws(true);
  *post.add_receives() = End(7, 0, 0, 100);
  *post.add_receives() = End(8, 0, 1, 100);
  Receive(1, End(7, 0, 0, 100));
  Receive(1, End(8, 0, 1, 100));
  Send(0, End(1, 1, 1, 100));
  referee_.OnPost(1, post);
  EXPECT_THAT(Moves(1), ElementsAre(8));
  EXPECT_THAT(orders_[1].back().withdrawn(), ElementsAre(7));
  Receive(1, End(9, 0, 0, 100));
  Send(0, End(2, 1, 0, 100));
  EXPECT_THAT(Moves(1), ElementsAre(8, 9));

  Sum(0, 11, {0, 1});
  Sum(0, 11, {0, 1}, 0, 8, /*withdraws=*/true);
  EXPECT_THAT(orders_[0].back().withdrawn(), ElementsAre(11));
  Sum(1, 12, {0, 1});
  Sum(0, 13, {0, 1});
  EXPECT_EQ(orders_[1].back().sums(0).number(), 12);
}

TEST_F(RefereeTest, NamesMistakes) {
  Send(0, End(1, 1, 7, 100));
  Send(0, End(2, 1, 7, 100));
  EXPECT_EQ(Mistake(0), "worker 0 sends stream 1, round 7, bucket 0, part 0 to worker 1 twice");
  Receive(1, End(7, 0, 7, 100, /*on_card=*/false));
  EXPECT_EQ(Mistake(1),
            "worker 0 sends stream 1, round 7, bucket 0, part 0 from its card, worker 1 receives "
            "it on the host; both ends must lie in the same kind of memory");
  Sum(2, 1, {2, 3}, 4, 8);
  Sum(3, 1, {2, 3}, 4, 9);
  EXPECT_THAT(Mistake(3), HasSubstr("the sum stream 0, round 4, bucket 0, part 0 of workers 2, 3 "
                                    "is over 9 elements at worker 3 and over 8 at worker 2"));
  Sum(2, 5, {2, 3}, 6);
  Sum(2, 6, {2, 3}, 6);
  EXPECT_THAT(Mistake(2), HasSubstr("worker 2 takes part twice in the sum"));
}

}  // namespace
}  // namespace starling
