// Several exchanges of a bucket in flight, and what of them is state.
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/ops/ops.h"
#include "core/state.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "optim/algorithm_testing.h"
#include "optim/mixer.h"
#include "optim/mixer_testing.h"

namespace starling {
namespace {

// Keeps state, or gives it back.
class Checkpoint final : public StateVisitor {
 public:
  void StartLoading() { loading_ = true; }

  absl::Status Visit(absl::string_view name, Buffer state) override {
    std::string bytes(static_cast<const char*>(state.data), state.bytes());
    RETURN_IF_ERROR(VisitBytes(name, &bytes));
    CHECK_EQ(static_cast<int64_t>(bytes.size()), state.bytes());
    std::memcpy(state.data, bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    if (loading_) {
      *state = saved.at(std::string(name));
    } else {
      EXPECT_TRUE(saved.emplace(std::string(name), *state).second) << name;
    }
    return absl::OkStatus();
  }

  std::map<std::string, std::string> saved;

 private:
  bool loading_ = false;
};

// x^{t+1} = sum_{j != i} W_ij x_j^{t-s} + W_ii x_i^t with s = depth - 1, from x^s on. The mixer is
// saved after `restart_after` of kDelayedRounds rounds, and another one goes on.
constexpr int64_t kDelayedRounds = 7;

Matrix MixDelayed(const Setting& setting, int depth, int64_t restart_after = -1) {
  const Layout layout = EvenLayout(setting.bucket_bytes, setting.type);
  Matrix rows(setting.topology->size());
  const auto body = [&](Communicator* comm) -> absl::Status {
    const Worker worker = WorkerFor(setting, layout, comm);
    const auto new_mixer = [&] {
      return Mixer::Create(worker, /*stream=*/1, setting.type, /*vectors=*/1, depth);
    };
    ASSIGN_OR_RETURN(auto mixer, new_mixer());
    Arena x(layout.size, setting.type);
    for (int64_t i = 0; i < layout.size; ++i) Set(x.buffer(), i, Initial(comm->rank(), 0, i));
    for (int64_t round = 0; round < kDelayedRounds; ++round) {
      for (int b = 0; b < static_cast<int>(layout.buckets.size()); ++b) {
        const Buffer part = x.buffer().Slice(layout.buckets[b].offset, layout.buckets[b].count);
        if (setting.from_outgoing) ops::Copy(part, mixer->outgoing(b));
        RETURN_IF_ERROR(
            mixer->Begin(round, b, {setting.from_outgoing ? mixer->outgoing(b) : part}));
        EXPECT_EQ(mixer->last_round(b), round);
        if (mixer->in_flight(b) < depth) continue;
        RETURN_IF_ERROR(mixer->Mix(b, part));
        EXPECT_EQ(mixer->in_flight(b), depth - 1);
      }
      if (round + 1 != restart_after) continue;
      RETURN_IF_ERROR(mixer->Quiesce());
      Checkpoint checkpoint;
      RETURN_IF_ERROR(mixer->VisitState(&checkpoint, "mixer"));
      ASSIGN_OR_RETURN(mixer, new_mixer());
      checkpoint.StartLoading();
      RETURN_IF_ERROR(mixer->VisitState(&checkpoint, "mixer"));
      EXPECT_EQ(mixer->in_flight(0), depth - 1);
    }
    for (int64_t i = 0; i < layout.size; ++i) rows[comm->rank()].push_back(Get(x.buffer(), i));
    return absl::OkStatus();
  };
  EXPECT_EQ(RunWorkers(setting.topology->size(), /*workers_per_node=*/2, body), absl::OkStatus());
  return rows;
}

Matrix DenseDelayed(const Topology& topology, int depth) {
  std::vector<Matrix> x(kDelayedRounds + 1, Matrix(topology.size()));
  for (int rank = 0; rank < topology.size(); ++rank) {
    for (int64_t i = 0; i < EvenLayout(1, DType::kF64).size; ++i) {
      x[0][rank].push_back(Initial(rank, 0, i));
    }
  }
  for (int64_t t = 0; t < kDelayedRounds; ++t) {
    x[t + 1] = x[t];
    if (t < depth - 1) continue;
    const MixingRound round = topology.Round(t - depth + 1);
    x[t + 1] = Multiply(MixingMatrix(round), x[t - depth + 1]);
    for (int i = 0; i < topology.size() && round.groups().empty(); ++i) {
      for (const Edge& edge : round.in(i)) {
        if (edge.from != i) continue;
        for (size_t k = 0; k < x[0][0].size(); ++k) {
          x[t + 1][i][k] += edge.weight * (x[t][i][k] - x[t - depth + 1][i][k]);
        }
      }
    }
    // A worker that its round leaves alone keeps what it has.
    for (int i = 0; i < topology.size(); ++i) {
      if (round.in(i).size() == 1 && round.in(i)[0].from == i) x[t + 1][i] = x[t][i];
    }
  }
  return x[kDelayedRounds];
}

TEST(Mixer, EndsTheOldestOfSeveralExchanges) {
  for (const auto& [name, topology] : TestTopologies(4)) {
    for (int depth : {1, 2, 4}) {
      Setting setting;
      setting.topology = topology.get();
      const Matrix expected = MixDelayed(setting, depth);
      EXPECT_LE(RelativeDifference(expected, DenseDelayed(*topology, depth)), 1e-14)
          << name << ", depth " << depth;
      setting.bucket_bytes = 1 << 20;
      setting.from_outgoing = true;
      setting.overlap = false;
      EXPECT_TRUE(SameBits(MixDelayed(setting, depth), expected)) << name << ", depth " << depth;
    }
  }
}

TEST(Mixer, WhatHasArrivedIsState) {
  for (const auto& [name, topology] : TestTopologies(4)) {
    for (int depth : {1, 2, 4}) {
      Setting setting;
      setting.topology = topology.get();
      setting.type = DType::kF32;
      const Matrix expected = MixDelayed(setting, depth);
      for (int64_t after : {3, 5, 6}) {
        EXPECT_TRUE(SameBits(MixDelayed(setting, depth, after), expected))
            << name << ", depth " << depth << ", restart after " << after;
      }
    }
  }
}

TEST(Mixer, ShowsOfWhatIsInFlightWhatItWillShowOnceThatHasEnded) {
  for (const auto& [name, topology] : TestTopologies(4)) {
    const auto body = [&, topology = topology](Communicator* comm) -> absl::Status {
      const Layout layout = EvenLayout(1 << 20, DType::kF64);
      Setting setting;
      setting.topology = topology.get();
      ASSIGN_OR_RETURN(const auto mixer, Mixer::Create(WorkerFor(setting, layout, comm), 1,
                                                       DType::kF64, /*vectors=*/1, /*depth=*/3));
      Arena x(layout.size, DType::kF64);
      for (int round : {0, 1, 2}) RETURN_IF_ERROR(mixer->Begin(round, 0, {x.buffer()}));
      RETURN_IF_ERROR(mixer->Quiesce());
      std::vector<std::vector<Source>> in_flight;
      for (int age : {0, 1, 2}) {
        const auto sources = mixer->sources_in_flight(age, 0, 0, x.buffer());
        in_flight.emplace_back(sources.begin(), sources.end());
      }
      for (int age : {0, 1, 2}) {
        RETURN_IF_ERROR(mixer->End(0));
        const auto ended = mixer->sources(0, 0, x.buffer());
        EXPECT_EQ(in_flight[age].size(), ended.size());
        for (size_t i = 0; i < ended.size(); ++i) {
          EXPECT_EQ(in_flight[age][i].weight, ended[i].weight);
          EXPECT_EQ(in_flight[age][i].values.data, ended[i].values.data);
        }
      }
      return absl::OkStatus();
    };
    EXPECT_EQ(RunWorkers(4, 2, body), absl::OkStatus()) << name;
  }
}

TEST(Mixer, RefusesRoundsThatItDidNotWrite) {
  const auto topology = TestTopologies(1)[0].topology;
  const auto body = [&](Communicator* comm) -> absl::Status {
    const Layout layout = EvenLayout(1 << 20, DType::kF64);
    Setting setting;
    setting.topology = topology.get();
    ASSIGN_OR_RETURN(const auto mixer, Mixer::Create(WorkerFor(setting, layout, comm), 1,
                                                     DType::kF64, /*vectors=*/1, /*depth=*/2));
    for (const char* rounds : {"1 2 3", "one", "-1"}) {
      Checkpoint checkpoint;
      checkpoint.saved["m/rounds"] = rounds;
      checkpoint.StartLoading();
      EXPECT_EQ(mixer->VisitState(&checkpoint, "m"),
                absl::DataLossError(absl::StrCat("state m/rounds is \"", rounds,
                                                 "\", which is no list of at most 2 rounds")));
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(RunWorkers(1, 1, body), absl::OkStatus());
}

}  // namespace
}  // namespace starling
