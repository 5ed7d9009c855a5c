#include <atomic>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(Threads, BackendConformance,
                         testing::ValuesIn(BackendWorlds("threads", {1, 2, 3, 4, 5, 8, 17})),
                         BackendWorldName);

constexpr int kWorkers = 6;

absl::Status RunThreads(int cores, const std::function<absl::Status(Communicator*)>& body) {
  PluginRef ref;
  ref.set_name("threads");
  ASSIGN_OR_RETURN(auto backend, Registry<Backend>::Global().Create(ref, {kWorkers, 1, cores}));
  return backend->Run(body);
}

TEST(Threads, NoMoreWorkersComputeThanThereAreCores) {
  for (int cores : {1, 2, kWorkers}) {
    std::atomic<int> computing{0};
    const auto body = [&](Communicator* comm) -> absl::Status {
      const int next = (comm->rank() + 1) % kWorkers;
      const int previous = (comm->rank() + kWorkers - 1) % kWorkers;
      Arena out(1, DType::kF32), in(1, DType::kF32);
      for (int64_t round = 0; round < 20; ++round) {
        EXPECT_LE(++computing, cores);
        for (int i = 0; i < 5; ++i) std::this_thread::yield();
        --computing;
        RETURN_IF_ERROR(ExchangeNow(comm, {{next, {1, round, 0, 0}, out.buffer()}},
                                    {{previous, {1, round, 0, 0}, in.buffer()}}));
      }
      return absl::OkStatus();
    };
    EXPECT_EQ(RunThreads(cores, body), absl::OkStatus());
  }
}

// With one core, all of them can only sleep at the same time if who sleeps leaves it to the others.
TEST(Threads, SleepingGivesTheComputeSlotBack) {
  std::atomic<int> asleep{0}, together{0};
  const auto body = [&](Communicator* comm) -> absl::Status {
    ++asleep;
    while (asleep < kWorkers) {
      comm->clock().SleepUntil(comm->clock().NowSeconds() + 1e-4);
    }
    ++together;
    return absl::OkStatus();
  };
  EXPECT_EQ(RunThreads(/*cores=*/1, body), absl::OkStatus());
  EXPECT_EQ(together, kWorkers);
}

// Worker 0 tells the others why it stops, long before its own error is there.
TEST(Threads, TheCauseIsTheResultWhoeverReturnsFirst) {
  std::atomic<int> returning{0};
  const auto body = [&](Communicator* comm) -> absl::Status {
    if (comm->rank() == 0) {
      comm->Abort(absl::NotFoundError("no data"));
      while (returning < kWorkers - 1) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      return absl::NotFoundError("no data");
    }
    Arena in(1, DType::kF32);
    const absl::Status status = ExchangeNow(comm, {}, {{0, {1, 0, 0, 0}, in.buffer()}});
    ++returning;
    return status;
  };
  EXPECT_EQ(RunThreads(kWorkers, body), absl::NotFoundError("worker 0: no data"));
}

}  // namespace
}  // namespace starling
