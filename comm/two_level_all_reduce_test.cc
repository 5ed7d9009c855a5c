#include "comm/two_level_all_reduce.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "comm/backend.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// Checks when a work is first seen done that nobody has written what it sends. Later than that it
// may be written: one thread may still wait for an exchange when another has moved the sum on.
class WatchedWork final : public Work {
 public:
  WatchedWork(std::unique_ptr<Work> work, absl::Span<const Send> sends)
      : work_(std::move(work)), sends_(sends.begin(), sends.end()) {
    for (const Send& send : sends_) {
      const auto* bytes = static_cast<const char*>(send.data.data);
      copies_.emplace_back(bytes, bytes + send.data.bytes());
    }
  }

  bool Done() override {
    if (!work_->Done()) return false;
    std::call_once(checked_, [this] { Check(); });
    return true;
  }
  absl::Status Wait() override { return work_->Wait(); }
  absl::Span<const Arrival> arrivals() const override { return work_->arrivals(); }
  std::string Missing() const override { return work_->Missing(); }

 private:
  void Check() const {
    for (size_t i = 0; i < sends_.size(); ++i) {
      if (copies_[i].empty()) continue;
      EXPECT_EQ(std::memcmp(copies_[i].data(), sends_[i].data.data, copies_[i].size()), 0);
    }
  }

  std::unique_ptr<Work> work_;
  std::vector<Send> sends_;
  std::vector<std::vector<char>> copies_;
  std::once_flag checked_;
};

// Counts what goes to other machines, and watches the buffers.
class WatchedCommunicator final : public Communicator {
 public:
  explicit WatchedCommunicator(Communicator* comm)
      : Communicator(comm->rank(), comm->size(), comm->workers_per_node(), &comm->clock()),
        comm_(comm) {}

  void Abort(const absl::Status& reason) override { comm_->Abort(reason); }
  int64_t bytes_across() const { return bytes_across_; }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    for (const Send& send : sends) {
      const bool inside = send.to / workers_per_node() == rank() / workers_per_node();
      if (!inside) bytes_across_ += send.data.bytes();
    }
    ASSIGN_OR_RETURN(auto work, comm_->Exchange(sends, receives, options));
    return std::make_unique<WatchedWork>(std::move(work), sends);
  }

  Communicator* comm_;
  std::atomic<int64_t> bytes_across_{0};
};

absl::Status RunThreads(int workers, int workers_per_node,
                        const std::function<absl::Status(Communicator*)>& body) {
  PluginRef ref;
  ref.set_name("threads");
  ASSIGN_OR_RETURN(auto backend,
                   Registry<Backend>::Global().Create(ref, {workers, workers_per_node, workers}));
  return backend->Run(body);
}

struct Counted {
  std::vector<int64_t> by_worker, by_machine;  // by_machine: what its network card sends
};

// Sums `count` floats over `group` and returns the bytes sent; checks the sum.
Counted SumAndCount(int workers, int workers_per_node, const std::vector<int>& group,
                    int64_t count) {
  Counted counted;
  counted.by_worker.resize(workers);
  std::vector<int64_t> across(workers);
  const auto body = [&](Communicator* inner) -> absl::Status {
    WatchedCommunicator comm(inner);
    std::vector<float> values(count, static_cast<float>(comm.rank() + 1));
    float expected = 0;
    bool member = false;
    for (int rank : group) {
      expected += static_cast<float>(rank + 1);
      member |= rank == comm.rank();
    }
    if (!member) return absl::OkStatus();
    ASSIGN_OR_RETURN(auto work, TwoLevelAllReduce(&comm, group, {1, 0, 0, 0},
                                                  AsBuffer(absl::MakeSpan(values)), {}));
    RETURN_IF_ERROR(work->Wait());
    EXPECT_EQ(values, std::vector<float>(count, expected));
    counted.by_worker[comm.rank()] = comm.bytes_sent(Traffic::kTraining);
    across[comm.rank()] = comm.bytes_across();
    return absl::OkStatus();
  };
  EXPECT_EQ(RunThreads(workers, workers_per_node, body), absl::OkStatus());
  counted.by_machine.resize((workers + workers_per_node - 1) / workers_per_node);
  for (int rank = 0; rank < workers; ++rank) {
    counted.by_machine[rank / workers_per_node] += across[rank];
  }
  return counted;
}

std::vector<int> Ranks(int count) {
  std::vector<int> ranks;
  for (int rank = 0; rank < count; ++rank) ranks.push_back(rank);
  return ranks;
}

TEST(TwoLevelAllReduce, SendsNoMoreThanARingPerWorkerAndPerMachine) {
  for (int machines : {1, 2, 3, 4}) {
    for (int per_machine : {1, 2, 4}) {
      const int n = machines * per_machine;
      const int64_t count = 32 * n;
      const int64_t bytes = 4 * count;
      const Counted counted = SumAndCount(n, per_machine, Ranks(n), count);
      for (int64_t sent : counted.by_worker) EXPECT_EQ(sent * n, 2 * (n - 1) * bytes);
      for (int64_t sent : counted.by_machine) {
        EXPECT_EQ(sent * machines, 2 * (machines - 1) * bytes) << machines << " " << per_machine;
      }
    }
  }
}

TEST(TwoLevelAllReduce, UnequalMachinesExchangeDirectly) {
  // Three members on machine 0, one on machine 1: p of m members send 2 p (m-p)/m of the vector.
  const int64_t count = 32 * 4;
  const Counted counted = SumAndCount(8, 4, {0, 1, 3, 6}, count);
  EXPECT_EQ(counted.by_machine[0], 2 * 3 * 1 * 4 * count / 4);
  EXPECT_EQ(counted.by_machine[1], 2 * 1 * 3 * 4 * count / 4);
  for (int rank : {0, 1, 3, 6}) EXPECT_EQ(counted.by_worker[rank], 2 * 3 * 4 * count / 4);
}

// However a vector splits, all members together send each element 2 (m-1) times.
TEST(TwoLevelAllReduce, TotalsAreExactForEveryCount) {
  for (int64_t count : {1, 31, 33, 100, 1000}) {
    int64_t total = 0;
    for (int64_t sent : SumAndCount(6, 2, Ranks(6), count).by_worker) total += sent;
    EXPECT_EQ(total, 2 * 5 * 4 * count) << count;
  }
}

absl::Status Barrier(Communicator* comm, MessageKey key) {
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int peer = 0; peer < comm->size(); ++peer) {
    sends.push_back({peer, key, Buffer()});
    receives.push_back({peer, key, Buffer()});
  }
  ASSIGN_OR_RETURN(auto work, comm->Exchange(sends, receives, {}));
  return work->Wait();
}

// Once everyone has begun, it is done, though nobody has asked.
TEST(TwoLevelAllReduce, MovesOnByItself) {
  const auto body = [](Communicator* inner) -> absl::Status {
    WatchedCommunicator comm(inner);
    std::vector<double> values(100, 1.0);
    ASSIGN_OR_RETURN(auto work, TwoLevelAllReduce(&comm, Ranks(4), {1, 0, 0, 0},
                                                  AsBuffer(absl::MakeSpan(values)), {}));
    RETURN_IF_ERROR(Barrier(inner, {2, 0, 0, 0}));
    const auto phases = comm.recorder().Records();
    EXPECT_EQ(phases.size(), 4u);
    for (const ExchangeRecord& phase : phases) EXPECT_GE(phase.end_seconds, phase.begin_seconds);
    EXPECT_EQ(values, std::vector<double>(100, 4.0));
    return work->Wait();
  };
  EXPECT_EQ(RunThreads(4, 2, body), absl::OkStatus());
}

TEST(TwoLevelAllReduceDeathTest, RefusesMisuse) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto sum = [](const std::vector<int>& group, uint16_t part) {
    return RunThreads(1, 1, [&](Communicator* comm) {
      float value = 1;
      return comm->AllReduceSum(group, {1, 0, 0, part}, AsBuffer(absl::MakeSpan(&value, 1)), {})
          .status();
    });
  };
  EXPECT_EQ(sum({0}, 0), absl::OkStatus());
  EXPECT_DEATH(sum({1, 2}, 0).IgnoreError(), "worker 0 is not in its group");
  EXPECT_DEATH(sum({0}, 1).IgnoreError(), "key.part");
  EXPECT_DEATH(sum({1, 0}, 0).IgnoreError(), "is_sorted");
}

}  // namespace
}  // namespace starling
