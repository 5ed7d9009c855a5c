#include "comm/backend_conformance.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "comm/backend.h"
#include "core/create_from_text.h"
#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/status.h"
#include "gmock/gmock.h"

namespace starling {

std::vector<BackendWorld> BackendWorlds(const std::string& backend, const std::vector<int>& workers,
                                        const std::string& config) {
  std::vector<BackendWorld> worlds;
  for (int n : workers) worlds.push_back({backend, n, config});
  return worlds;
}

std::string BackendWorldName(const testing::TestParamInfo<BackendWorld>& info) {
  return absl::StrCat(info.param.workers, "_workers");
}

absl::Status BackendConformance::Run(const WorkerBody& body, int workers_per_node,
                                     int cores) const {
  Backend::Context world;
  world.workers = workers();
  world.workers_per_node = workers_per_node;
  world.cores = cores;
  ASSIGN_OR_RETURN(auto backend,
                   CreateFromText<Backend>(GetParam().backend, GetParam().config, world));
  return backend->Run(body);
}

Arena Zeros(Communicator* comm, int64_t count, DType type) {
  auto arena = MakeArena(count, type, comm->place());
  CHECK_OK(arena);
  return *std::move(arena);
}

void CopyNow(Buffer from, Buffer to) {
  ops::Copy(from, to);
  const bool waits = from.place == Place::kDevice || to.place == Place::kDevice;
  if (waits) CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
}

absl::Status ExchangeNow(Communicator* comm, const std::vector<Send>& sends,
                         const std::vector<Receive>& receives, const ExchangeOptions& options) {
  ASSIGN_OR_RETURN(auto work, comm->Exchange(sends, receives, options));
  return work->Wait();
}

namespace {

using ::testing::HasSubstr;

ExchangeOptions Within(absl::Duration deadline) {
  ExchangeOptions options;
  options.deadline = deadline;
  return options;
}

const absl::Duration kShort = absl::Milliseconds(50);

// Bytes that tell messages apart.
Arena Filling(Buffer like, int message) {
  Arena arena(like.count, like.type);
  auto* bytes = static_cast<uint8_t*>(arena.buffer().data);
  for (int64_t i = 0; i < like.bytes(); ++i) {
    bytes[i] = static_cast<uint8_t>((message * 37 + i * 11) % 251);
  }
  return arena;
}

void Fill(Buffer buffer, int message) { CopyNow(Filling(buffer, message).buffer(), buffer); }

void ExpectFilled(Buffer buffer, int message) {
  const Arena expected = Filling(buffer, message);
  const Arena found(buffer.count, buffer.type);
  CopyNow(buffer, found.buffer());
  EXPECT_TRUE(buffer.count == 0 ||
              std::memcmp(found.buffer().data, expected.buffer().data, buffer.bytes()) == 0)
      << "message " << message << " of " << buffer.count << " " << DTypeName(buffer.type);
}

TEST_P(BackendConformance, EveryWorkerKnowsItsPlace) {
  EXPECT_EQ(Run(
                [&](Communicator* comm) {
                  EXPECT_GE(comm->rank(), 0);
                  EXPECT_LT(comm->rank(), workers());
                  EXPECT_EQ(comm->size(), workers());
                  EXPECT_EQ(comm->workers_per_node(), 3);
                  EXPECT_GE(comm->clock().NowSeconds(), 0);
                  return absl::OkStatus();
                },
                /*workers_per_node=*/3),
            absl::OkStatus());
}

TEST_P(BackendConformance, ExchangesBetweenAllPairs) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int n = comm->size();
    int64_t round = 0;
    for (DType type : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16, DType::kI32,
                       DType::kI64, DType::kByte}) {
      for (int64_t count : {0, 1, 7, 4096}) {
        const MessageKey key{1, round++, 0, 0};
        std::vector<Arena> out, in;
        std::vector<Send> sends;
        std::vector<Receive> receives;
        for (int peer = 0; peer < n; ++peer) {  // itself among them
          out.push_back(Zeros(comm, count, type));
          in.push_back(Zeros(comm, count, type));
          Fill(out.back().buffer(), comm->rank() * n + peer);
          sends.push_back({peer, key, out.back().buffer()});
          receives.push_back({peer, key, in.back().buffer()});
        }
        ASSIGN_OR_RETURN(auto work, comm->Exchange(sends, receives, {}));
        RETURN_IF_ERROR(work->Wait());
        EXPECT_TRUE(work->Done());
        EXPECT_TRUE(work->Wait().ok()) << "waiting twice";
        EXPECT_EQ(static_cast<int>(work->arrivals().size()), n);
        for (int peer = 0; peer < n; ++peer) {
          ExpectFilled(in[peer].buffer(), peer * n + comm->rank());
          EXPECT_EQ(work->arrivals()[peer].from, peer);
          EXPECT_EQ(work->arrivals()[peer].count, count);
        }
      }
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

// 36 messages to the next worker, each an exchange of its own; sends, receives and waits all come
// in orders of their own.
TEST_P(BackendConformance, MessagesFindTheirReceivesInAnyOrder) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int next = (comm->rank() + 1) % comm->size();
    const int previous = (comm->rank() + comm->size() - 1) % comm->size();
    std::vector<MessageKey> keys;
    for (int64_t round : {1 << 20, (1 << 20) + 1, (1 << 20) + 4095}) {
      for (int32_t bucket : {0, 1, 70000}) {
        for (uint16_t stream : {1, 65535}) {
          for (uint16_t part : {0, 9}) keys.push_back({stream, round, bucket, part});
        }
      }
    }
    const int messages = static_cast<int>(keys.size());
    Random random(StreamKey(1, Purpose::kTest, comm->rank(), 0));
    std::vector<int> sending, receiving;
    for (int i = 0; i < messages; ++i) sending.push_back(i);
    receiving = sending;
    random.Shuffle(absl::MakeSpan(sending));
    random.Shuffle(absl::MakeSpan(receiving));
    std::vector<Arena> out, in;
    std::vector<std::unique_ptr<Work>> works;
    for (int i = 0; i < messages; ++i) {
      out.push_back(Zeros(comm, 50, DType::kF32));
      in.push_back(Zeros(comm, 50, DType::kF32));
      Fill(out[i].buffer(), i);
    }
    for (int k = 0; k < messages; ++k) {
      const int s = sending[k], r = receiving[k];
      ASSIGN_OR_RETURN(auto send, comm->Exchange({{next, keys[s], out[s].buffer()}}, {}, {}));
      ASSIGN_OR_RETURN(auto receive, comm->Exchange({}, {{previous, keys[r], in[r].buffer()}}, {}));
      works.push_back(std::move(send));
      works.push_back(std::move(receive));
    }
    random.Shuffle(absl::MakeSpan(works));
    for (auto& work : works) RETURN_IF_ERROR(work->Wait());
    for (int i = 0; i < messages; ++i) ExpectFilled(in[i].buffer(), i);
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, AnyoneMeansWhoeverComes) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const MessageKey key{1, 0, 0, 0};
    const Arena mine = Zeros(comm, 5, DType::kF64);
    Fill(mine.buffer(), comm->rank());
    if (comm->rank() > 0) return ExchangeNow(comm, {{0, key, mine.buffer()}}, {});
    std::vector<Arena> in;
    std::vector<Receive> receives;
    for (int i = 1; i < comm->size(); ++i) {
      in.push_back(Zeros(comm, 5, DType::kF64));
      receives.push_back({kAnyone, key, in.back().buffer()});
    }
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, receives, {}));
    RETURN_IF_ERROR(work->Wait());
    std::set<int> from;
    for (size_t i = 0; i < receives.size(); ++i) {
      from.insert(work->arrivals()[i].from);
      ExpectFilled(receives[i].into, work->arrivals()[i].from);
    }
    EXPECT_EQ(from.size(), receives.size());
    EXPECT_EQ(from.count(0), 0u);
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, ReceivesHaveACapacity) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int next = (comm->rank() + 1) % comm->size();
    const int previous = (comm->rank() + comm->size() - 1) % comm->size();
    const Arena out = Zeros(comm, 9, DType::kF32);
    const Arena in = Zeros(comm, 9, DType::kF32);
    Fill(out.buffer(), 4);
    ASSIGN_OR_RETURN(auto work, comm->Exchange({{next, {1, 0, 0, 0}, out.buffer().Slice(0, 3)}},
                                               {{previous, {1, 0, 0, 0}, in.buffer()}}, {}));
    RETURN_IF_ERROR(work->Wait());
    EXPECT_EQ(work->arrivals()[0].count, 3);
    ExpectFilled(in.buffer().Slice(0, 3), 4);

    const absl::Status too_long = ExchangeNow(comm, {{next, {1, 1, 0, 0}, out.buffer()}},
                                              {{previous, {1, 1, 0, 0}, in.buffer().Slice(0, 8)}});
    EXPECT_EQ(too_long.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(too_long.ToString(), HasSubstr(absl::StrCat("worker ", comm->rank())));
    EXPECT_THAT(too_long.ToString(), HasSubstr(absl::StrCat("worker ", previous)));
    EXPECT_THAT(too_long.ToString(), HasSubstr(ToString({1, 1, 0, 0})));
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, RefusesRanksOutsideTheWorld) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const Arena memory = Zeros(comm, 1, DType::kF32);
    for (int peer : {comm->size(), -2}) {
      for (bool send : {true, false}) {
        std::vector<Send> sends;
        std::vector<Receive> receives;
        if (send) sends.push_back({peer, {}, memory.buffer()});
        if (!send) receives.push_back({peer, {}, memory.buffer()});
        const absl::Status status = comm->Exchange(sends, receives, {}).status();
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(status.ToString(), HasSubstr(absl::StrCat("worker ", peer)));
      }
    }
    EXPECT_EQ(comm->bytes_sent(Traffic::kTraining), 0);
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, TheDeadlineNamesTheSilentPeerAndTheMessage) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int silent = comm->size() - 1;
    if (comm->rank() == silent) return absl::OkStatus();
    const Arena memory = Zeros(comm, 3, DType::kF32);
    const absl::Status status =
        ExchangeNow(comm, {}, {{silent, {5, 6, 7, 8}, memory.buffer()}}, Within(kShort));
    EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_THAT(status.ToString(), HasSubstr(absl::StrCat("worker ", comm->rank(), " ")));
    EXPECT_THAT(status.ToString(), HasSubstr(absl::StrCat("worker ", silent, " ")));
    EXPECT_THAT(status.ToString(), HasSubstr("stream 5, round 6, bucket 7, part 8"));
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, OneWorkersErrorEndsAllAndIsTheResult) {
  const auto body = [](Communicator* comm) -> absl::Status {
    if (comm->rank() == 0) return absl::NotFoundError("no data");
    const Arena memory = Zeros(comm, 3, DType::kF32);
    const absl::Status status = ExchangeNow(comm, {}, {{0, {1, 0, 0, 0}, memory.buffer()}});
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    EXPECT_THAT(status.ToString(), HasSubstr("worker 0: no data"));
    return status;
  };
  EXPECT_EQ(Run(body), absl::NotFoundError("worker 0: no data"));
}

TEST_P(BackendConformance, AbortEndsTheWaitingOfAll) {
  const auto body = [](Communicator* comm) -> absl::Status {
    if (comm->rank() == 0) comm->Abort(absl::InternalError("enough"));
    const Arena memory = Zeros(comm, 3, DType::kF32);
    const absl::Status status = ExchangeNow(comm, {}, {{0, {1, 0, 0, 0}, memory.buffer()}});
    EXPECT_EQ(status, absl::AbortedError("enough"));
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

// The forgotten receive must not take the message, nor may its memory be written: it is gone.
TEST_P(BackendConformance, DestroyingAWorkCancelsIt) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int next = (comm->rank() + 1) % comm->size();
    const int previous = (comm->rank() + comm->size() - 1) % comm->size();
    const MessageKey key{1, 0, 0, 0}, go{1, 1, 0, 0};
    {
      const Arena forgotten = Zeros(comm, 1000, DType::kF32);
      ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{previous, key, forgotten.buffer()}}, {}));
    }
    const Arena nothing = Zeros(comm, 0, DType::kF32);
    const Arena out = Zeros(comm, 1000, DType::kF32);
    const Arena in = Zeros(comm, 1000, DType::kF32);
    RETURN_IF_ERROR(
        ExchangeNow(comm, {{previous, go, nothing.buffer()}}, {{next, go, nothing.buffer()}}));
    Fill(out.buffer(), comm->rank());
    ASSIGN_OR_RETURN(auto send, comm->Exchange({{next, key, out.buffer()}}, {}, {}));
    RETURN_IF_ERROR(ExchangeNow(comm, {}, {{previous, key, in.buffer()}}));
    ExpectFilled(in.buffer(), previous);
    return send->Wait();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

TEST_P(BackendConformance, CountsPayloadBytesByKindOfTraffic) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int next = (comm->rank() + 1) % comm->size();
    const int previous = (comm->rank() + comm->size() - 1) % comm->size();
    const Arena out = Zeros(comm, 7, DType::kF64);
    const Arena in = Zeros(comm, 7, DType::kF64);
    ExchangeOptions measurement;
    measurement.traffic = Traffic::kMeasurement;
    for (int64_t round = 0; round < 3; ++round) {
      RETURN_IF_ERROR(ExchangeNow(comm, {{next, {1, round, 0, 0}, out.buffer()}},
                                  {{previous, {1, round, 0, 0}, in.buffer()}},
                                  round == 0 ? measurement : ExchangeOptions{}));
    }
    EXPECT_EQ(comm->bytes_sent(Traffic::kTraining), 2 * 7 * 8);
    EXPECT_EQ(comm->bytes_sent(Traffic::kMeasurement), 7 * 8);
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body), absl::OkStatus());
}

// A worker that waits must let others compute.
TEST_P(BackendConformance, OneCoreIsEnough) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const int next = (comm->rank() + 1) % comm->size();
    const int previous = (comm->rank() + comm->size() - 1) % comm->size();
    ASSIGN_OR_RETURN(Buffer token, comm->Allocate(1, DType::kI64, Place::kHost));
    token.as<int64_t>()[0] = 0;
    for (int64_t lap = 0; lap < 20; ++lap) {
      const MessageKey key{1, lap, 0, 0};
      if (comm->rank() == 0) {
        ASSIGN_OR_RETURN(auto send, comm->Exchange({{next, key, token}}, {}, {}));
        ASSIGN_OR_RETURN(Buffer back, comm->Allocate(1, DType::kI64, Place::kHost));
        RETURN_IF_ERROR(ExchangeNow(comm, {}, {{previous, key, back}}));
        RETURN_IF_ERROR(send->Wait());
        token = back;
      } else {
        RETURN_IF_ERROR(ExchangeNow(comm, {}, {{previous, key, token}}));
        ++token.as<int64_t>()[0];
        RETURN_IF_ERROR(ExchangeNow(comm, {{next, key, token}}, {}));
      }
    }
    if (comm->rank() == 0) {
      EXPECT_EQ(token.as<int64_t>()[0], 20 * (comm->size() - 1));
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(body, /*workers_per_node=*/1, /*cores=*/1), absl::OkStatus());
}

}  // namespace
}  // namespace starling
