#include "optim/mixer.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"
#include "optim/mixer_testing.h"
#include "topology/traffic.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRounds = 3;

// Mixes every vector for kRounds rounds; returns rows[vector][rank].
std::vector<Matrix> Mix(const Setting& setting, std::vector<int64_t>* bytes_sent = nullptr) {
  const int n = setting.topology->size();
  const Layout layout = EvenLayout(setting.bucket_bytes, setting.type);
  const int buckets = static_cast<int>(layout.buckets.size());
  std::vector<Matrix> rows(setting.vectors, Matrix(n));
  if (bytes_sent != nullptr) bytes_sent->resize(n);
  const auto body = [&](Communicator* comm) -> absl::Status {
    ASSIGN_OR_RETURN(const auto mixer, Mixer::Create(WorkerFor(setting, layout, comm), /*stream=*/3,
                                                     setting.type, setting.vectors));
    std::vector<Arena> x;
    for (int v = 0; v < setting.vectors; ++v) {
      x.emplace_back(layout.size, setting.type);
      for (int64_t i = 0; i < layout.size; ++i) {
        Set(x[v].buffer(), i, Initial(comm->rank(), v, i));
      }
    }
    const auto part = [&](int b, int v) {
      return x[v].buffer().Slice(layout.buckets[b].offset, layout.buckets[b].count);
    };
    for (int64_t round = 0; round < kRounds; ++round) {
      for (int b = 0; b < buckets; ++b) {
        std::vector<Buffer> values;
        for (int v = 0; v < setting.vectors; ++v) {
          values.push_back(setting.from_outgoing ? mixer->outgoing(b, v) : part(b, v));
          if (setting.from_outgoing) ops::Copy(part(b, v), values.back());
        }
        EXPECT_FALSE(mixer->in_flight(b));
        RETURN_IF_ERROR(mixer->Begin(round, b, values));
        EXPECT_TRUE(mixer->in_flight(b));
      }
      if (round == 1) RETURN_IF_ERROR(mixer->Quiesce());  // changes nothing
      for (int b = buckets - 1; b >= 0; --b) {
        EXPECT_TRUE(mixer->in_flight(b));
        if (setting.vectors == 1) {
          RETURN_IF_ERROR(mixer->Mix(b, part(b, 0)));
          continue;
        }
        RETURN_IF_ERROR(mixer->End(b));
        for (int v = 0; v < setting.vectors; ++v) {
          const auto sources = mixer->sources(b, v, part(b, v));
          if (!sources.empty()) ops::WeightedSum(sources, part(b, v));
        }
      }
    }
    for (int v = 0; v < setting.vectors; ++v) {
      for (int64_t i = 0; i < layout.size; ++i) {
        rows[v][comm->rank()].push_back(Get(x[v].buffer(), i));
      }
    }
    if (bytes_sent != nullptr) (*bytes_sent)[comm->rank()] = comm->bytes_sent(Traffic::kTraining);
    return absl::OkStatus();
  };
  EXPECT_EQ(RunWorkers(n, /*workers_per_node=*/2, body), absl::OkStatus());
  return rows;
}

Matrix Dense(const Topology& topology, double gamma, int vector) {
  Matrix x(topology.size());
  const int64_t size = EvenLayout(1, DType::kF64).size;
  for (int rank = 0; rank < topology.size(); ++rank) {
    for (int64_t i = 0; i < size; ++i) x[rank].push_back(Initial(rank, vector, i));
  }
  for (int64_t round = 0; round < kRounds; ++round) {
    x = Multiply(MixingMatrix(topology.Round(round), gamma), x);
  }
  return x;
}

// Worker i takes all of worker i - 1's: no edges from workers to themselves.
std::shared_ptr<const Topology> Shift(int n) {
  std::vector<Edge> edges;
  for (int i = 0; i < n; ++i) edges.push_back({(i + 1) % n, i, 1.0});
  return std::make_shared<PeriodicTopology>(
      n, std::vector<MixingRound>{MixingRound::FromEdges(n, edges)}, TopologyFacts{});
}

// Both neighbours, and nothing of oneself but what gamma keeps.
std::shared_ptr<const Topology> Neighbours(int n) {
  std::vector<Edge> edges;
  for (int i = 0; i < n; ++i) {
    for (int shift : {1, n - 1}) edges.push_back({i, (i + shift) % n, 0.5});
  }
  return std::make_shared<PeriodicTopology>(
      n, std::vector<MixingRound>{MixingRound::FromEdges(n, edges)}, TopologyFacts{});
}

// What is sent and kept need not sum to one: worker 0 gives, the others keep 3/4 and take 1/2.
std::shared_ptr<const Topology> Broadcast(int n) {
  std::vector<Edge> edges;
  for (int i = 0; i < n; ++i) edges.push_back({i, i, 0.75});
  for (int i = 1; i < n; ++i) edges.push_back({i, 0, 0.5});
  return std::make_shared<PeriodicTopology>(
      n, std::vector<MixingRound>{MixingRound::FromEdges(n, edges)}, TopologyFacts{});
}

std::vector<NamedTopology> Topologies(int n) {
  std::vector<NamedTopology> topologies = TestTopologies(n);
  topologies.push_back({"shift", Shift(n)});
  topologies.push_back({"broadcast", Broadcast(n)});
  return topologies;
}

TEST(Mixer, EqualsDenseProducts) {
  for (int n : {1, 2, 3, 8}) {
    for (const auto& [name, topology] : Topologies(n)) {
      for (double gamma : {1.0, 0.6}) {
        for (DType type : {DType::kF32, DType::kF64}) {
          Setting setting;
          setting.topology = topology.get();
          setting.vectors = 2;
          setting.gamma = gamma;
          setting.type = type;
          const std::vector<Matrix> mixed = Mix(setting);
          for (int v = 0; v < setting.vectors; ++v) {
            EXPECT_LE(RelativeDifference(mixed[v], Dense(*topology, gamma, v)),
                      type == DType::kF32 ? 1e-6 : 1e-14)
                << name << " of " << n << ", gamma " << gamma << ", " << DTypeName(type);
          }
        }
      }
    }
  }
}

TEST(Mixer, BitsDependNeitherOnBucketsNorOnOverlapNorOnWhoOwnsTheBuffers) {
  for (int n : {3, 8}) {
    for (const auto& [name, topology] : Topologies(n)) {
      Setting setting;
      setting.topology = topology.get();
      setting.type = DType::kF32;
      setting.gamma = 0.9;
      const Matrix expected = Mix(setting)[0];
      for (int64_t bucket_bytes : {2000, 1 << 20}) {
        for (bool from_outgoing : {false, true}) {
          setting.bucket_bytes = bucket_bytes;
          setting.from_outgoing = from_outgoing;
          setting.overlap = !from_outgoing;
          setting.vectors = from_outgoing ? 3 : 1;
          EXPECT_TRUE(SameBits(Mix(setting)[0], expected)) << name << " of " << n;
        }
      }
    }
  }
}

TEST(Mixer, AddsEdgesInRankOrderSelfAmongThem) {
  constexpr int kWorkers = 5;
  const auto ring = TestTopologies(kWorkers)[1];
  ASSERT_EQ(ring.name, "ring");
  for (const auto& topology : {ring.topology, Neighbours(kWorkers)}) {
    Setting setting;
    setting.topology = topology.get();
    setting.type = DType::kF32;
    setting.gamma = 0.7;
    const Matrix w = MixingMatrix(topology->Round(0), setting.gamma);
    const int64_t size = EvenLayout(1, setting.type).size;
    std::vector<std::vector<float>> x(kWorkers, std::vector<float>(size));
    for (int j = 0; j < kWorkers; ++j) {
      for (int64_t k = 0; k < size; ++k) x[j][k] = static_cast<float>(Initial(j, 0, k));
    }
    for (int64_t round = 0; round < kRounds; ++round) {
      std::vector<std::vector<float>> mixed(kWorkers, std::vector<float>(size, -0.0f));
      for (int i = 0; i < kWorkers; ++i) {
        for (int j = 0; j < kWorkers; ++j) {
          const float weight = static_cast<float>(w[i][j]);
          for (int64_t k = 0; weight != 0 && k < size; ++k) mixed[i][k] += weight * x[j][k];
        }
      }
      x = mixed;
    }
    const Matrix result = Mix(setting)[0];
    for (int i = 0; i < kWorkers; ++i) {
      EXPECT_EQ(std::vector<float>(result[i].begin(), result[i].end()), x[i]) << "worker " << i;
    }
  }
}

TEST(Mixer, SendsTheBytesThatTheTopologyPredicts) {
  for (int n : {1, 2, 4}) {
    for (const auto& [name, topology] : Topologies(n)) {
      for (int vectors : {1, 2}) {
        Setting setting;
        setting.topology = topology.get();
        setting.vectors = vectors;
        std::vector<int64_t> bytes_sent;
        Mix(setting, &bytes_sent);
        std::vector<MixingRound> rounds;
        for (int64_t round = 0; round < kRounds; ++round) rounds.push_back(topology->Round(round));
        const double model_bytes = 8.0 * EvenLayout(1, DType::kF64).size;
        const MixingTraffic mean = MeanTraffic(rounds, /*workers_per_node=*/2, model_bytes);
        for (int rank = 0; rank < n; ++rank) {
          EXPECT_DOUBLE_EQ(bytes_sent[rank], vectors * kRounds * mean.worker_bytes[rank])
              << name << " of " << n;
        }
      }
    }
  }
}

// The caller's buffers are its own again when Begin returns.
TEST(Mixer, CopiesWhatItSends) {
  const auto topology = Shift(2);
  const auto body = [&](Communicator* comm) -> absl::Status {
    const Layout layout = EvenLayout(1 << 20, DType::kF64);
    Setting setting;
    setting.topology = topology.get();
    ASSIGN_OR_RETURN(const auto mixer,
                     Mixer::Create(WorkerFor(setting, layout, comm), /*stream=*/1, DType::kF64));
    std::vector<double> x(layout.size, comm->rank() + 1.0);
    RETURN_IF_ERROR(mixer->Begin(0, 0, {AsBuffer(absl::MakeSpan(x))}));
    x.assign(layout.size, -5);
    RETURN_IF_ERROR(mixer->End(0));
    ops::WeightedSum(mixer->sources(0, 0, AsBuffer(absl::MakeSpan(x))),
                     AsBuffer(absl::MakeSpan(x)));
    EXPECT_EQ(x, std::vector<double>(layout.size, 2.0 - comm->rank()));
    return absl::OkStatus();
  };
  EXPECT_EQ(RunWorkers(2, 1, body), absl::OkStatus());
}

TEST(Mixer, EndsAtTheDeadline) {
  const auto topology = Shift(2);
  const auto body = [&](Communicator* comm) -> absl::Status {
    if (comm->rank() == 0) return absl::OkStatus();  // never mixes
    const Layout layout = EvenLayout(1 << 20, DType::kF64);
    Setting setting;
    setting.topology = topology.get();
    Worker worker = WorkerFor(setting, layout, comm);
    worker.mixing.deadline = absl::Milliseconds(50);
    ASSIGN_OR_RETURN(const auto mixer, Mixer::Create(worker, /*stream=*/7, DType::kF64));
    RETURN_IF_ERROR(mixer->Begin(4, 0, {mixer->outgoing(0)}));
    const absl::Status status = mixer->End(0);
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(status.ToString(), HasSubstr("worker 0 to send stream 7, round 4, bucket 0"));
    return absl::OkStatus();
  };
  EXPECT_EQ(RunWorkers(2, 1, body), absl::OkStatus());
}

TEST(MixerDeathTest, BucketsFlyOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto topology = TestTopologies(1)[0].topology;
  const auto with_mixer = [&](const std::function<absl::Status(Mixer*)>& f) {
    return RunWorkers(1, 1, [&](Communicator* comm) {
      const Layout layout = EvenLayout(1 << 20, DType::kF64);
      Setting setting;
      setting.topology = topology.get();
      ASSIGN_OR_RETURN(const auto mixer,
                       Mixer::Create(WorkerFor(setting, layout, comm), /*stream=*/1, DType::kF64));
      return f(mixer.get());
    });
  };
  EXPECT_DEATH(with_mixer([](Mixer* mixer) { return mixer->End(0); }).IgnoreError(),
               "bucket 0 is not in flight");
  EXPECT_DEATH(with_mixer([](Mixer* mixer) {
                 RETURN_IF_ERROR(mixer->Begin(0, 0, {mixer->outgoing(0)}));
                 return mixer->Begin(1, 0, {mixer->outgoing(0)});
               }).IgnoreError(),
               "bucket 0 is in flight");
}

}  // namespace
}  // namespace starling
