#include "comm/nccl/worlds_main.h"

#include <sys/wait.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "comm/backend_conformance.h"
#include "comm/launch_environment.h"
#include "comm/nccl/forked_world.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr double kMostSeconds = 600;  // of all tests in one world
constexpr int kWorkersToKill = 4;

absl::Status ExchangeForEver(Communicator* comm) {
  const int n = comm->size(), next = (comm->rank() + 1) % n, last = (comm->rank() + n - 1) % n;
  const Arena out = Zeros(comm, 1 << 18, DType::kF32), in = Zeros(comm, 1 << 18, DType::kF32);
  for (int64_t round = 0;; ++round) {
    const absl::Status status = ExchangeNow(comm, {{next, {1, round, 0, 0}, out.buffer()}},
                                            {{last, {1, round, 0, 0}, in.buffer()}});
    if (!status.ok()) {
      std::printf("worker: %s\n", status.ToString().c_str());
      return status;
    }
    // The waiting is for the card.
    if (in.buffer().place == Place::kDevice) {
      RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));
    }
    if (round != 20) continue;
    std::printf("on the way\n");
    std::fflush(stdout);
  }
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

int Complain(const std::string& what, int worker, const std::string& output) {
  std::printf("[  FAILED  ] %s: worker %d:\n%s\n", what.c_str(), worker, output.c_str());
  return 1;
}

int Skip() {
  std::printf("[  SKIPPED ] this machine has no GPU that CUDA can use\n");
  return 0;
}

// Both return how many complaints there are.
int TestWorld(int workers, int argc, char** argv) {
  const std::string what = absl::StrCat("a world of ", workers);
  ForkedWorld world(workers, [&] {
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
  });
  int failed = 0, worker = 0;
  for (const auto& [status, output] : world.Finish(kMostSeconds)) {
    if (status != 0 || !Has(output, "[  PASSED  ]")) failed += Complain(what, worker, output);
    ++worker;
  }
  if (failed == 0) std::printf("[       OK ] %s\n", what.c_str());
  return failed;
}

int TestKill(
    int victim,
    const std::function<absl::Status(const std::function<absl::Status(Communicator*)>&)>& run) {
  const std::string what = absl::StrCat("worker ", victim, " of ", kWorkersToKill, " is killed");
  const std::string name = absl::StrCat("worker ", victim, " (pid ");
  ForkedWorld world(kWorkersToKill, [&] {
    std::printf("result: %s\n", run(ExchangeForEver).ToString().c_str());
    return 0;
  });
  const bool on_the_way = world.AwaitOutput("on the way", 120);
  const auto begin = std::chrono::steady_clock::now();
  world.Kill(victim);
  const auto results = world.Finish(20);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  int failed = 0;
  for (int worker = 0; worker < kWorkersToKill; ++worker) {
    const std::string& output = results[worker].output;
    const bool told =
        Has(output, "worker: ABORTED: " + name) && Has(output, "result: UNAVAILABLE: " + name);
    if (!on_the_way || (worker != victim && !told)) failed += Complain(what, worker, output);
  }
  if (took.count() > 5) failed += Complain(absl::StrCat(what, ": ", took.count(), " s"), 0, "");
  if (failed == 0) {
    std::printf("[       OK ] %s: the others knew in %.1f s\n", what.c_str(), took.count());
  }
  return failed;
}

}  // namespace

int WorldSize() {
  const auto launch = ReadLaunchEnvironment(getenv);
  CHECK_OK(launch);
  return launch->size;
}

int TestInWorlds(
    const std::vector<int>& worlds,
    const std::function<absl::Status(const std::function<absl::Status(Communicator*)>&)>& run,
    const std::function<bool()>& can_run, int argc, char** argv) {
  if (WorldSize() > 1) {
    testing::InitGoogleTest(&argc, argv);
    return can_run() ? RUN_ALL_TESTS() : Skip();
  }
  // CUDA does not survive a fork, so this process must not ask itself.
  ForkedWorld scout(1, [&] { return can_run() ? 0 : 1; });
  const int answer = scout.Finish(60)[0].status;
  if (WIFEXITED(answer) && WEXITSTATUS(answer) == 1) return Skip();
  int failed = 0;
  for (int workers : worlds) failed += TestWorld(workers, argc, argv);
  for (int victim : {kWorkersToKill / 2, 0}) failed += TestKill(victim, run);
  return failed == 0 ? 0 : 1;
}

}  // namespace starling
