#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "comm/sim/sim.pb.h"
#include "comm/simulation.h"
#include "core/registry.h"
#include "core/run/file_io.h"
#include "core/run/test_files.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Sim, BackendConformance,
                         testing::ValuesIn(BackendWorlds("sim", {1, 2, 3, 4, 5, 8, 17})),
                         BackendWorldName);

// Machines with cards of 1 Gbit/s (125 MB/s) and 8 Gbit/s (1 GB/s) inside; no latencies.
constexpr char kPlain[] = "name: \"test\" workers_per_node: 4 node_gbps: 8 nic_gbps: 1\n";

using Body = std::function<absl::Status(Communicator*)>;

absl::StatusOr<std::unique_ptr<Backend>> Make(const std::string& cluster,
                                              const Backend::Context& world,
                                              const std::function<void(SimConfig*)>& change = {}) {
  const std::string path = NewDirectory() + "/cluster.textproto";
  RETURN_IF_ERROR(WriteFileAtomically(path, cluster));
  SimConfig config;
  config.set_cluster(path);
  if (change) change(&config);
  PluginRef ref;
  ref.set_name("sim");
  ref.mutable_config()->PackFrom(config);
  return Registry<Backend>::Global().Create(ref, world);
}

absl::Status Simulate(const std::string& cluster, const Backend::Context& world, const Body& body) {
  ASSIGN_OR_RETURN(auto backend, Make(cluster, world));
  return backend->Run(body);
}

// When every worker's share of what `group_of` says is summed; all begin at 0. `bytes` of F32.
std::vector<double> SumSeconds(const std::string& cluster, const Backend::Context& world,
                               int64_t bytes,
                               const std::function<std::vector<int>(int rank)>& group_of) {
  std::vector<double> seconds(world.workers);
  EXPECT_EQ(
      Simulate(cluster, world,
               [&](Communicator* comm) -> absl::Status {
                 const std::vector<int> group = group_of(comm->rank());
                 const Buffer values{nullptr, bytes / 4, DType::kF32, Place::kVirtual};
                 ASSIGN_OR_RETURN(auto work, comm->AllReduceSum(group, {1, 0, 0, 0}, values, {}));
                 RETURN_IF_ERROR(work->Wait());
                 seconds[comm->rank()] = comm->clock().NowSeconds();
                 return absl::OkStatus();
               }),
      absl::OkStatus());
  return seconds;
}

// The same of messages: worker r sends to each of `targets(r)`, and receives from those that send
// to it.
std::vector<double> MessageSeconds(const std::string& cluster, const Backend::Context& world,
                                   int64_t bytes,
                                   const std::function<std::vector<int>(int rank)>& targets) {
  std::vector<double> seconds(world.workers);
  EXPECT_EQ(Simulate(cluster, world,
                     [&](Communicator* comm) -> absl::Status {
                       const Buffer values{nullptr, bytes / 4, DType::kF32, Place::kVirtual};
                       std::vector<Send> sends;
                       std::vector<Receive> receives;
                       for (const int to : targets(comm->rank())) sends.push_back({to, {}, values});
                       for (int from = 0; from < comm->size(); ++from) {
                         for (const int to : targets(from)) {
                           if (to == comm->rank()) receives.push_back({from, {}, values});
                         }
                       }
                       RETURN_IF_ERROR(ExchangeNow(comm, sends, receives));
                       seconds[comm->rank()] = comm->clock().NowSeconds();
                       return absl::OkStatus();
                     }),
            absl::OkStatus());
  return seconds;
}

void ExpectAll(const std::vector<double>& seconds, double expected) {
  for (const double value : seconds) EXPECT_NEAR(value, expected, 1e-6 * expected);
}

Backend::Context World(int workers, int workers_per_node) {
  Backend::Context world;
  world.workers = workers;
  world.workers_per_node = workers_per_node;
  return world;
}

constexpr int64_t kMegabyte = 1000000;

std::vector<int> PairAcross(int rank) {  // of two machines with four workers each
  return {rank % 4, rank % 4 + 4};
}

TEST(SimTime, APairHasTheCardForItself) {
  ExpectAll(SumSeconds(kPlain, World(2, 1), 100 * kMegabyte,
                       [](int) {
                         return std::vector<int>{0, 1};
                       }),
            0.8);  // 2 (2-1)/2 of 100 MB at 125 MB/s
}

TEST(SimTime, GroupsThatShareACardTakeTurns) {
  for (const char* collective : {"collective: RING", "collective: TWO_LEVEL"}) {
    ExpectAll(
        SumSeconds(absl::StrCat(kPlain, collective), World(8, 4), 100 * kMegabyte, PairAcross),
        3.2);  // q = 4
  }
}

TEST(SimTime, OneCommunicatorMayGetLessThanTheCard) {
  const std::string cluster = absl::StrCat(kPlain, "communicator_gbps: 0.5 collective: RING");
  ExpectAll(SumSeconds(cluster, World(2, 1), 100 * kMegabyte,
                       [](int) {
                         return std::vector<int>{0, 1};
                       }),
            1.6);
  // min(0.5, 1/4)
  ExpectAll(SumSeconds(cluster, World(8, 4), 100 * kMegabyte, PairAcross), 3.2);
}

TEST(SimTime, HalfDuplexCardsCarryBothWays) {
  ExpectAll(SumSeconds(absl::StrCat(kPlain, "half_duplex: true"), World(2, 1), 100 * kMegabyte,
                       [](int) {
                         return std::vector<int>{0, 1};
                       }),
            1.6);
}

TEST(SimTime, SumsOfAllByRingAndInTwoLevels) {
  const auto all = [](int) { return std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; };
  const double hop = 1e-3, once = 5e-3;
  const std::string cluster =
      absl::StrCat(kPlain, "collective_latency_us: 5000 hop_latency_us: 1000 ");
  // 2 (m-1)/m s / card + 2 (m-1) hops
  ExpectAll(SumSeconds(cluster + "collective: RING", World(12, 4), 12 * kMegabyte, all),
            22e6 / 125e6 + once + 22 * hop);
  // 2 (M-1)/M s / card + 2 (p-1)/p s inside + four hops
  ExpectAll(SumSeconds(cluster, World(12, 4), 12 * kMegabyte, all),
            16e6 / 125e6 + 18e6 / 1e9 + once + 4 * hop);
  // Inside one machine nothing passes the card.
  ExpectAll(SumSeconds(cluster, World(4, 4), 12 * kMegabyte,
                       [](int) {
                         return std::vector<int>{0, 1, 2, 3};
                       }),
            18e6 / 1e9 + once + 2 * hop);
}

TEST(SimTime, MessagesShareCardsAndBuses) {
  // Each of 4 workers to one on the other machine, in both directions at once: 4 share a card.
  ExpectAll(MessageSeconds(kPlain, World(8, 4), 10 * kMegabyte,
                           [](int rank) { return std::vector<int>{(rank + 4) % 8}; }),
            0.32);
  // To the two next ones on the same machine: what leaves a worker shares 1 GB/s.
  ExpectAll(MessageSeconds(kPlain, World(4, 4), 10 * kMegabyte,
                           [](int rank) {
                             return std::vector<int>{(rank + 1) % 4, (rank + 2) % 4};
                           }),
            0.02);
}

TEST(SimTime, SitesHaveLinksOfTheirOwn) {
  const std::string cluster =
      "workers_per_node: 1 nic_gbps: 100\n"
      "site { name: \"here\" nodes: 1 } site { name: \"there\" nodes: 1 }\n"
      "site_link { a: \"there\" b: \"here\" gbps: 0.1 latency_us: 50000 }\n";
  ExpectAll(MessageSeconds(cluster, World(2, 1), kMegabyte,
                           [](int rank) { return std::vector<int>{1 - rank}; }),
            0.08 + 0.05);
}

TEST(SimTime, ASlowLinkIsSlowForThePairThatItNames) {
  Backend::Context world = World(4, 1);
  Faults::SlowLink* slow = world.faults.add_slow_link();
  slow->set_worker(1);
  slow->set_other_worker(0);
  slow->set_rate(0.25);
  slow->set_from_step(-1);  // these messages come before step 0
  const auto seconds = SumSeconds(kPlain, world, 100 * kMegabyte, [](int rank) {
    return std::vector<int>{rank / 2 * 2, rank / 2 * 2 + 1};
  });
  EXPECT_NEAR(seconds[0], 3.2, 1e-6);
  EXPECT_NEAR(seconds[2], 0.8, 1e-6);
  slow->set_until_step(-1);  // over
  ExpectAll(SumSeconds(kPlain, world, 100 * kMegabyte,
                       [](int rank) {
                         return std::vector<int>{rank / 2 * 2, rank / 2 * 2 + 1};
                       }),
            0.8);
}

// Exchanges of a worker pass one after the other, in the order in which both sides were ready.
TEST(SimTime, AWorkersExchangesQueue) {
  EXPECT_EQ(Simulate(kPlain, World(2, 1),
                     [](Communicator* comm) -> absl::Status {
                       const Buffer values{nullptr, 25 * kMegabyte, DType::kF32, Place::kVirtual};
                       std::vector<std::unique_ptr<Work>> works;
                       for (int32_t bucket = 0; bucket < 3; ++bucket) {
                         ASSIGN_OR_RETURN(
                             auto work, comm->AllReduceSum({0, 1}, {1, 0, bucket, 0}, values, {}));
                         works.push_back(std::move(work));
                       }
                       for (int bucket = 0; bucket < 3; ++bucket) {
                         RETURN_IF_ERROR(works[bucket]->Wait());
                         EXPECT_NEAR(comm->clock().NowSeconds(), 0.8 * (bucket + 1), 1e-6);
                       }
                       return absl::OkStatus();
                     }),
            absl::OkStatus());
}

TEST(SimTime, TransfersGoOnWhileWorkersComputeAndMeasurementsTakeNoTime) {
  EXPECT_EQ(
      Simulate(
          kPlain, World(2, 1),
          [](Communicator* comm) -> absl::Status {
            const Buffer values{nullptr, 25 * kMegabyte, DType::kF32, Place::kVirtual};
            ASSIGN_OR_RETURN(auto work, comm->AllReduceSum({0, 1}, {1, 0, 0, 0}, values, {}));
            comm->clock().SleepUntil(0.5);
            EXPECT_FALSE(work->Done());
            comm->clock().SleepUntil(1);
            EXPECT_TRUE(work->Done());
            RETURN_IF_ERROR(work->Wait());
            ExchangeOptions measurement;
            measurement.traffic = Traffic::kMeasurement;
            ASSIGN_OR_RETURN(work, comm->AllReduceSum({0, 1}, {1, 1, 0, 0}, values, measurement));
            RETURN_IF_ERROR(work->Wait());
            EXPECT_EQ(comm->clock().NowSeconds(), 1);
            return absl::OkStatus();
          }),
      absl::OkStatus());
}

// A simulation in which all wait for each other ends, and says so.
TEST(SimTime, WaitingForEachOtherForEverIsAnError) {
  const absl::Status status = Simulate(kPlain, World(2, 1), [](Communicator* comm) {
    Arena memory(1, DType::kF32);
    return ExchangeNow(comm, {}, {{1 - comm->rank(), {}, memory.buffer()}});
  });
  EXPECT_EQ(status, absl::InternalError("backend \"sim\": 2 of 2 workers wait for what will never "
                                        "come"));
}

TEST(SimComputing, PassesAreCutIntoBucketsAndStretchedByTheirWorker) {
  const auto backend = Make(absl::StrCat(kPlain, "slow_worker { worker: 1 factor: 2 }"),
                            World(2, 1), [](SimConfig* config) {
                              config->set_compute_ms(300);
                              config->set_update_ms(40);
                              config->set_model_bytes(4000);
                            });
  ASSERT_TRUE(backend.ok()) << backend.status();
  const absl::Status status = (*backend)->Run([](Communicator* comm) -> absl::Status {
    Simulation* simulation = comm->simulation();
    Layout layout;
    layout.size = 128;
    layout.buckets = {{0, 32}, {32, 96}};
    simulation->SetModel(layout, DType::kF32);
    const double factor = comm->rank() == 0 ? 1 : 2;
    for (const int64_t step : {2, 3}) {
      const Simulation::Pass pass = simulation->PassOf(comm->rank(), step);
      EXPECT_EQ(pass.stall, 0);
      EXPECT_NEAR(pass.forward, factor * 0.1, 1e-12);
      EXPECT_EQ(pass.backward.size(), 2u);
      EXPECT_NEAR(pass.backward[0], factor * 0.05, 1e-12);
      EXPECT_NEAR(pass.backward[1], factor * 0.15, 1e-12);
    }
    EXPECT_NEAR(simulation->UpdateSeconds(32), 0.01, 1e-12);
    // 128 elements of 4 bytes count as 4000.
    Arena half(64, DType::kF32);
    ASSIGN_OR_RETURN(auto work, comm->AllReduceSum({0, 1}, {1, 0, 0, 0}, half.buffer(), {}));
    RETURN_IF_ERROR(work->Wait());
    EXPECT_NEAR(comm->clock().NowSeconds(), 2000 / 125e6, 1e-12);
    return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
}

TEST(SimMistakes, AreAnsweredInOneSentence) {
  const auto message = [](const std::string& cluster, const Backend::Context& world,
                          const std::function<void(SimConfig*)>& change = {}) {
    return std::string(Make(cluster, world, change).status().message());
  };
  EXPECT_EQ(message(kPlain, World(16, 8)),
            "backend \"sim\": workers_per_node is 8, but a machine of cluster \"test\" has 4; "
            "set workers_per_node: 4");
  EXPECT_EQ(message(absl::StrCat(kPlain, "nodes: 2"), World(16, 4)),
            "backend \"sim\": 16 workers, 4 per machine, need 4 machines; cluster \"test\" has "
            "2");
  EXPECT_THAT(
      message(kPlain, World(1, 1), [](SimConfig* config) { config->set_cluster("laptob"); }),
      HasSubstr("laptop"));
  EXPECT_THAT(
      message(kPlain, World(1, 1), [](SimConfig* config) { config->set_model_profile("nothing"); }),
      HasSubstr("nothing"));
}

}  // namespace
}  // namespace starling
