// Workers in threads of this process, connected by TCP as processes are, and with the cards of
// test_cards.h.
#include "comm/nccl/dispatcher.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "comm/communicator.h"
#include "comm/nccl/test_cards.h"
#include "comm/nccl/threads_world.h"
#include "core/random/random.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

const absl::Duration kPatience = absl::Seconds(30);

using Body = std::function<absl::Status(Communicator* comm, Carrier* carrier)>;

// Returns every worker's result.
std::vector<absl::Status> RunWorld(int workers, TestCards* cards, const Body& body) {
  Backend::Context context;
  context.workers = workers;
  return RunInThreads(
      context, /*deterministic=*/false, [&](int rank) { return cards->NewCarrier(rank); }, body);
}

Buffer OnCard(std::vector<float>* values) {
  return {values->data(), static_cast<int64_t>(values->size()), DType::kF32, Place::kDevice};
}

Buffer OnHost(std::vector<float>* values) { return AsBuffer(absl::MakeSpan(*values)); }

ExchangeOptions Patiently() {
  ExchangeOptions options;
  options.deadline = kPatience;
  return options;
}

// What the worker's queue has been given up to here has ended on the card.
void AwaitCard(Carrier* carrier) {
  const Carrier::PointPtr point = carrier->Here();
  while (!point->passed()) std::this_thread::yield();
}

struct Message {
  int from, to;
  MessageKey key;
  int64_t count;
  bool on_card, from_anyone;
};

// What happens in one round of a stress test; the same for all workers.
struct Round {
  std::vector<Message> messages;
  std::vector<int> group_of;  // by worker: who sums together
  int64_t sum_count;
};

std::vector<Round> RandomRounds(int workers, int rounds, uint64_t seed) {
  Random random(StreamKey(seed, Purpose::kTest, 0, 1));
  std::vector<Round> all(rounds);
  for (int r = 0; r < rounds; ++r) {
    const int messages = static_cast<int>(random.Below(3 * workers));
    for (int m = 0; m < messages; ++m) {
      const MessageKey key{static_cast<uint16_t>(m), r, m % 3, 0};
      const bool on_card = random.Below(5) > 0;
      all[r].messages.push_back(
          {static_cast<int>(random.Below(workers)), static_cast<int>(random.Below(workers)), key,
           random.Below(4) == 0 ? 0 : 1 + random.Below(500), on_card, random.Below(5) == 0});
    }
    for (int worker = 0; worker < workers; ++worker) {
      all[r].group_of.push_back(static_cast<int>(random.Below(3)));
    }
    all[r].sum_count = 1 + random.Below(300);
  }
  return all;
}

float Value(const Message& message, int64_t i) {
  return static_cast<float>(message.key.round * 1000 + message.key.stream * 10 + i % 7);
}

// One worker's part of a round: exchanges in a random sequence, cut at random.
class Part {
 public:
  Part(const Round& round, int64_t number, Communicator* comm, Random* random)
      : round_(round), number_(number), comm_(comm), random_(random) {}

  absl::Status Begin() {
    const int rank = comm_->rank();
    struct Item {
      const Message* message;  // null: the sum
      bool is_send;
    };
    std::vector<Item> items;
    for (const Message& message : round_.messages) {
      if (message.from == rank) items.push_back({&message, true});
      if (message.to == rank) items.push_back({&message, false});
    }
    for (int worker = 0; worker < comm_->size(); ++worker) {
      if (round_.group_of[worker] == round_.group_of[rank]) group_.push_back(worker);
    }
    items.push_back({nullptr, false});
    random_->Shuffle(absl::MakeSpan(items));
    buffers_.reserve(items.size());  // Buffers point into it
    std::vector<Send> sends;
    std::vector<Receive> receives;
    for (const Item& item : items) {
      if (item.message == nullptr) {
        sum_.assign(round_.sum_count, static_cast<float>(rank + 1));
        ASSIGN_OR_RETURN(auto work, comm_->AllReduceSum(group_, {100, number_, 0, 0}, OnCard(&sum_),
                                                        Patiently()));
        works_.push_back(std::move(work));
        continue;
      }
      const Message& message = *item.message;
      buffers_.emplace_back(message.count, -1.f);
      std::vector<float>& values = buffers_.back();
      if (item.is_send) {
        for (int64_t i = 0; i < message.count; ++i) values[i] = Value(message, i);
      } else {
        received_.push_back({&message, &values});
      }
      const Buffer buffer = message.on_card ? OnCard(&values) : OnHost(&values);
      if (item.is_send) sends.push_back({message.to, message.key, buffer});
      if (!item.is_send) {
        receives.push_back({message.from_anyone ? kAnyone : message.from, message.key, buffer});
      }
      if (random_->Below(3) == 0) RETURN_IF_ERROR(Exchange(&sends, &receives));
    }
    RETURN_IF_ERROR(Exchange(&sends, &receives));
    // What nobody sends is taken back.
    std::vector<float> nothing(3);
    ASSIGN_OR_RETURN(
        auto in_vain,
        comm_->Exchange({}, {{0, {200, number_, 0, 0}, OnCard(&nothing)}}, Patiently()));
    return absl::OkStatus();
  }

  absl::Status Wait() {
    random_->Shuffle(absl::MakeSpan(works_));
    for (auto& work : works_) {
      RETURN_IF_ERROR(work->Wait());
      EXPECT_TRUE(work->Done());
    }
    works_.clear();
    return absl::OkStatus();
  }

  // Once the card has ended it all.
  void Check() {
    for (const auto& [message, values] : received_) {
      for (int64_t i = 0; i < message->count; ++i) {
        ASSERT_EQ((*values)[i], Value(*message, i)) << ToString(message->key);
      }
    }
    float expected = 0;
    for (int member : group_) expected += static_cast<float>(member + 1);
    EXPECT_THAT(sum_, Each(expected));
  }

 private:
  absl::Status Exchange(std::vector<Send>* sends, std::vector<Receive>* receives) {
    if (sends->empty() && receives->empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(auto work, comm_->Exchange(*sends, *receives, Patiently()));
    works_.push_back(std::move(work));
    sends->clear();
    receives->clear();
    return absl::OkStatus();
  }

  const Round& round_;
  const int64_t number_;
  Communicator* comm_;
  Random* random_;
  std::vector<int> group_;
  std::vector<std::vector<float>> buffers_;
  std::vector<std::pair<const Message*, std::vector<float>*>> received_;
  std::vector<float> sum_;
  std::vector<std::unique_ptr<Work>> works_;
};

// Workers issue everything in sequences of their own; with cards that do one thing at a time, any
// sequence that is not the same everywhere ends in a deadlock.
TEST(Dispatcher, NothingDeadlocksInWhateverSequenceWorkersIssueIt) {
  constexpr int kRounds = 20;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const int workers = 2 + static_cast<int>(seed % 5);
    const int most_at_once = std::vector<int>{1, 2, 100}[seed % 3];
    SCOPED_TRACE(
        absl::StrCat("seed ", seed, ", ", workers, " workers, ", most_at_once, " at once"));
    TestCards cards(workers, most_at_once, seed);
    const std::vector<Round> rounds = RandomRounds(workers, kRounds, seed);
    const auto results = RunWorld(workers, &cards, [&](Communicator* comm, Carrier* carrier) {
      Random random(StreamKey(seed, Purpose::kTest, comm->rank(), 2));
      std::vector<std::unique_ptr<Part>> parts;
      size_t waited = 0;
      for (int r = 0; r < kRounds; ++r) {
        parts.push_back(std::make_unique<Part>(rounds[r], r, comm, &random));
        RETURN_IF_ERROR(parts.back()->Begin());
        while (waited < parts.size() && random.Below(3) > 0) {
          RETURN_IF_ERROR(parts[waited++]->Wait());
        }
      }
      while (waited < parts.size()) RETURN_IF_ERROR(parts[waited++]->Wait());
      AwaitCard(carrier);
      for (const auto& part : parts) part->Check();
      return absl::OkStatus();
    });
    EXPECT_THAT(results, Each(absl::OkStatus()));
    EXPECT_TRUE(cards.idle());
    if (HasFailure()) return;
  }
}

// That the cards of these tests can deadlock: three workers, in a circle, with an own sequence
// each.
TEST(TestCards, DeadlockWithoutAnAgreedSequence) {
  for (const bool agreed : {true, false}) {
    TestCards cards(3, /*most_at_once=*/1, /*seed=*/1);
    std::vector<std::unique_ptr<Carrier>> carriers;
    for (int rank = 0; rank < 3; ++rank) carriers.push_back(cards.NewCarrier(rank));
    const auto all = [&](const std::function<void(int)>& body) {
      std::vector<std::thread> threads;
      for (int rank = 0; rank < 3; ++rank) threads.emplace_back(body, rank);
      for (std::thread& thread : threads) thread.join();
    };
    std::vector<float> values(6);
    const auto move = [&](int rank, int to, bool sends) {
      const Carrier::Piece piece{sends ? to : (to + 2) % 3,
                                 Buffer{&values[2 * to + sends], 4, DType::kByte, Place::kDevice},
                                 carriers[rank]->Here()};
      const std::vector<Carrier::Piece> one = {piece}, none;
      // On the host nobody waits here.
      carriers[rank]->Stop();
      carriers[rank]->Move(0, sends ? one : none, sends ? none : one).status().IgnoreError();
    };
    all([&](int rank) { CHECK_OK(carriers[rank]->Make({0, 1, 2})); });
    // Message k goes from worker k - 1 to worker k.
    if (agreed) {
      for (int k = 0; k < 3; ++k) {
        move((k + 2) % 3, k, true);
        move(k, k, false);
      }
    } else {
      for (int rank = 0; rank < 3; ++rank) move(rank, (rank + 1) % 3, true);
      for (int rank = 0; rank < 3; ++rank) move(rank, rank, false);
    }
    bool idle = false;
    for (int i = 0; i < 1000 && !idle; ++i) idle = cards.idle();
    EXPECT_EQ(idle, agreed);
  }
}

TEST(Dispatcher, WaitingIsForTheCardNotForTheWorker) {
  TestCards cards(2, 8, 1);
  const auto results = RunWorld(2, &cards, [&](Communicator* comm, Carrier* carrier) {
    const int other = 1 - comm->rank();
    std::vector<float> out(8, static_cast<float>(comm->rank())), in(8), back(8);
    ASSIGN_OR_RETURN(auto first, comm->Exchange({{other, {1, 0, 0, 0}, OnCard(&out)}},
                                                {{other, {1, 0, 0, 0}, OnCard(&in)}}, Patiently()));
    RETURN_IF_ERROR(first->Wait());
    // Behind that on the card: what has come goes back.
    ASSIGN_OR_RETURN(auto second,
                     comm->Exchange({{other, {1, 1, 0, 0}, OnCard(&in)}},
                                    {{other, {1, 1, 0, 0}, OnCard(&back)}}, Patiently()));
    RETURN_IF_ERROR(second->Wait());
    AwaitCard(carrier);
    EXPECT_THAT(back, Each(static_cast<float>(comm->rank())));
    return absl::OkStatus();
  });
  EXPECT_THAT(results, Each(absl::OkStatus()));
}

TEST(Dispatcher, TellsWhenAnExchangeIsDone) {
  TestCards cards(2, 8, 1);
  const auto results = RunWorld(2, &cards, [&](Communicator* comm, Carrier* carrier) {
    const int other = 1 - comm->rank();
    std::vector<float> out(8), in(8);
    std::atomic<bool> told{false};
    ExchangeOptions options = Patiently();
    options.completed = [&] { told = true; };
    ASSIGN_OR_RETURN(auto work, comm->Exchange({{other, {1, 0, 0, 0}, OnCard(&out)}},
                                               {{other, {1, 0, 0, 0}, OnCard(&in)}}, options));
    const bool done_at_once = work->Done();
    RETURN_IF_ERROR(work->Wait());
    while (!told && !done_at_once) std::this_thread::yield();
    AwaitCard(carrier);  // before the memory goes
    return absl::OkStatus();
  });
  EXPECT_THAT(results, Each(absl::OkStatus()));
}

TEST(Dispatcher, DeadlinesNameWhoWaitedForWhom) {
  TestCards cards(2, 8, 1);
  ExchangeOptions soon;
  soon.deadline = absl::Milliseconds(50);
  const auto results = RunWorld(2, &cards, [&](Communicator* comm, Carrier*) {
    std::vector<float> values(8);
    if (comm->rank() == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(auto receive, comm->Exchange({}, {{0, {1, 2, 0, 0}, OnCard(&values)}}, soon));
    EXPECT_EQ(receive->Wait(),
              absl::DeadlineExceededError("worker 1 waited 50ms for worker 0 to send stream 1, "
                                          "round 2, bucket 0, part 0"));
    ASSIGN_OR_RETURN(auto sum, comm->AllReduceSum({0, 1}, {1, 3, 0, 0}, OnCard(&values), soon));
    EXPECT_EQ(sum->Missing(), "the sum stream 1, round 3, bucket 0, part 0 of workers 0, 1");
    EXPECT_EQ(sum->Wait(),
              absl::DeadlineExceededError("worker 1 waited 50ms for the sum stream 1, round 3, "
                                          "bucket 0, part 0 of workers 0, 1"));
    return absl::OkStatus();
  });
  EXPECT_THAT(results, Each(absl::OkStatus()));
}

// Both have posted; but worker 0's card never gets to it.
TEST(Dispatcher, AMessageThatTheCardsDoNotEndEndsTheRun) {
  TestCards cards(2, 8, 1);
  ExchangeOptions soon;
  soon.deadline = absl::Milliseconds(50);
  const auto results = RunWorld(2, &cards, [&](Communicator* comm, Carrier*) -> absl::Status {
    std::vector<float> values(8);
    const int other = 1 - comm->rank();
    if (comm->rank() == 0) {
      cards.Block(0);
      ASSIGN_OR_RETURN(auto work, comm->Exchange({{other, {1, 2, 0, 0}, OnCard(&values)}}, {}, {}));
      RETURN_IF_ERROR(work->Wait());
      ASSIGN_OR_RETURN(auto next, comm->Exchange({}, {{other, {1, 3, 0, 0}, OnCard(&values)}}, {}));
      return next->Wait();
    }
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{other, {1, 2, 0, 0}, OnCard(&values)}}, soon));
    RETURN_IF_ERROR(work->Wait());
    ASSIGN_OR_RETURN(auto next, comm->Exchange({}, {{other, {1, 3, 0, 0}, OnCard(&values)}}, {}));
    return next->Wait();
  });
  for (const absl::Status& result : results) {
    EXPECT_EQ(result, absl::DeadlineExceededError(
                          "worker 1: worker 1 waited 50ms for worker 0 to send stream 1, round 2, "
                          "bucket 0, part 0, which the cards have begun and not ended"));
  }
}

TEST(Dispatcher, MistakesEndTheRun) {
  TestCards cards(2, 8, 1);
  const auto results = RunWorld(2, &cards, [&](Communicator* comm, Carrier*) -> absl::Status {
    std::vector<float> values(8);
    const int other = 1 - comm->rank();
    const Buffer buffer = comm->rank() == 0 ? OnCard(&values) : OnHost(&values);
    ASSIGN_OR_RETURN(auto work, comm->Exchange({{other, {1, 0, 0, 0}, buffer}},
                                               {{other, {1, 0, 0, 0}, buffer}}, Patiently()));
    return work->Wait();
  });
  for (const absl::Status& result : results) {
    EXPECT_EQ(result.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(result.message()),
                HasSubstr("both ends must lie in the same kind of memory"));
  }
}

// One post matches more than fits into a message of the control channel.
TEST(Dispatcher, ManyLargeMessagesOnTheHostMayArriveAtOnce) {
  constexpr int kWorkers = 3;
  TestCards cards(kWorkers, 8, 1);
  const auto results =
      RunWorld(kWorkers, &cards, [&](Communicator* comm, Carrier*) -> absl::Status {
        std::vector<float> values(10 << 20, 1.0f), first(values.size()), second(values.size()),
            word(1);
        const MessageKey key{1, 0, 0, 0}, go{1, 1, 0, 0};
        if (comm->rank() != 1) {  // the receiver is not the lead
          ASSIGN_OR_RETURN(auto work, comm->Exchange({{1, key, OnHost(&values)}}, {}, Patiently()));
          ASSIGN_OR_RETURN(auto told, comm->Exchange({{1, go, OnHost(&word)}}, {}, Patiently()));
          return absl::OkStatus();
        }
        for (int from : {0, 2}) {
          ASSIGN_OR_RETURN(auto told, comm->Exchange({}, {{from, go, OnHost(&word)}}, Patiently()));
          RETURN_IF_ERROR(told->Wait());
        }
        ASSIGN_OR_RETURN(
            auto work,
            comm->Exchange({}, {{0, key, OnHost(&first)}, {2, key, OnHost(&second)}}, Patiently()));
        RETURN_IF_ERROR(work->Wait());
        EXPECT_TRUE(first == values && second == values);
        return absl::OkStatus();
      });
  EXPECT_THAT(results, Each(absl::OkStatus()));
}

TEST(Dispatcher, RefusesWhatTheHostsChannelCannotTake) {
  TestCards cards(1, 8, 1);
  const auto results = RunWorld(1, &cards, [&](Communicator* comm, Carrier*) {
    std::vector<float> values(16 << 20);
    const absl::Status status =
        comm->Exchange({{0, {1, 0, 0, 0}, OnHost(&values)}}, {}, {}).status();
    EXPECT_EQ(status, absl::InvalidArgumentError(
                          "backend \"nccl\": an exchange of 64 MiB in the host's memory; it takes "
                          "60 MiB, cards exchange any number"));
    return absl::OkStatus();
  });
  EXPECT_THAT(results, Each(absl::OkStatus()));
}

}  // namespace
}  // namespace starling
