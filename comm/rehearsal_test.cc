#include "comm/rehearsal.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using Body = std::function<absl::Status(Communicator*)>;

// "" for OK.
std::string Problem(int workers, const Body& body) {
  Rehearsal rehearsal(workers, /*workers_per_node=*/2);
  const absl::Status status = rehearsal.Run(body);
  if (status.ok()) return "";
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  return std::string(status.message());
}

MessageKey Key(int64_t round) { return {1, round, 0, 0}; }

// Memory of one worker.
class Memory {
 public:
  Buffer operator()(int64_t count, DType type = DType::kF32) {
    arenas_.push_back(std::make_unique<Arena>(count, type));
    return arenas_.back()->buffer();
  }

 private:
  std::vector<std::unique_ptr<Arena>> arenas_;
};

absl::Status Now(Communicator* comm, const std::vector<Send>& sends,
                 const std::vector<Receive>& receives) {
  ASSIGN_OR_RETURN(auto work, comm->Exchange(sends, receives, {}));
  return work->Wait();
}

TEST(Rehearsal, DeliversWhatIsSent) {
  Rehearsal rehearsal(3, 1);
  std::vector<float> got(3);
  EXPECT_EQ(rehearsal.Run([&](Communicator* comm) -> absl::Status {
    EXPECT_EQ(comm->size(), 3);
    EXPECT_EQ(comm->workers_per_node(), 1);
    const int next = (comm->rank() + 1) % 3, previous = (comm->rank() + 2) % 3;
    float own = 10.0f * static_cast<float>(comm->rank());
    Buffer out = AsBuffer(absl::MakeSpan(&own, 1));
    Buffer in = AsBuffer(absl::MakeSpan(&got[comm->rank()], 1));
    for (int64_t round = 0; round < 3; ++round) {
      RETURN_IF_ERROR(Now(comm, {{next, Key(round), out}}, {{previous, Key(round), in}}));
      own = got[comm->rank()];
    }
    return absl::OkStatus();
  }),
            absl::OkStatus());
  EXPECT_EQ(got, (std::vector<float>{0, 10, 20}));  // once around
  EXPECT_EQ(rehearsal.messages(), 9);
}

TEST(Rehearsal, SumsOverGroupsInSeveralPhases) {
  Rehearsal rehearsal(4, 2);
  EXPECT_EQ(rehearsal.Run([](Communicator* comm) -> absl::Status {
    Arena values(70, DType::kF64);
    for (double& value : values.buffer().as<double>()) value = comm->rank();
    ASSIGN_OR_RETURN(auto work, comm->AllReduceSum({0, 1, 2, 3}, Key(0), values.buffer(), {}));
    RETURN_IF_ERROR(work->Wait());
    for (double value : values.buffer().as<double>()) EXPECT_EQ(value, 6);
    return absl::OkStatus();
  }),
            absl::OkStatus());
}

TEST(Rehearsal, AloneInTheWorld) {
  EXPECT_EQ(Problem(1, [](Communicator* comm) { return Now(comm, {}, {}); }), "");
}

TEST(Rehearsal, WhatNobodySendsIsNotWaitedFor) {
  EXPECT_EQ(Problem(3,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() != 1) return absl::OkStatus();
                      return Now(comm, {}, {{2, Key(5), memory(4)}});
                    }),
            "worker 1 waits for worker 2 to send stream 1, round 5, bucket 0, part 0, but worker 2 "
            "has ended");
  EXPECT_EQ(Problem(2,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() != 1) return absl::OkStatus();
                      return Now(comm, {}, {{kAnyone, Key(5), memory(4)}});
                    }),
            "worker 1 waits for anyone to send stream 1, round 5, bucket 0, part 0, and nobody "
            "does");
}

TEST(Rehearsal, WhatNobodyTakesIsNotWaitedFor) {
  EXPECT_EQ(Problem(2,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() != 0) return absl::OkStatus();
                      return Now(comm, {{1, Key(0), memory(4)}}, {});
                    }),
            "worker 0 waits for worker 1 to take stream 1, round 0, bucket 0, part 0, but worker 1 "
            "has ended");
}

TEST(Rehearsal, ACycleOfWaitsIsPrintedFromItsLowestRank) {
  // Worker 0 waits for the cycle but is not in it; everybody receives before it sends.
  const Body body = [](Communicator* comm) -> absl::Status {
    Memory memory;
    const int rank = comm->rank();
    if (rank == 0) return Now(comm, {}, {{2, Key(9), memory(4)}});
    const int next = rank % 3 + 1, previous = (rank + 1) % 3 + 1;
    RETURN_IF_ERROR(Now(comm, {}, {{previous, Key(0), memory(4)}}));
    return Now(comm, {{next, Key(0), memory(4)}}, {});
  };
  const std::string expected =
      "nobody can go on: worker 1 waits for worker 3 to send stream 1, round 0, bucket 0, part 0; "
      "worker 3 waits for worker 2 to send stream 1, round 0, bucket 0, part 0; "
      "worker 2 waits for worker 1 to send stream 1, round 0, bucket 0, part 0";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Problem(4, body), expected);
}

TEST(Rehearsal, SendersThatWaitForEachOtherAreACycleToo) {
  // Works only where sends are buffered.
  EXPECT_EQ(Problem(2,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      const int other = 1 - comm->rank();
                      RETURN_IF_ERROR(Now(comm, {{other, Key(0), memory(4)}}, {}));
                      return Now(comm, {}, {{other, Key(0), memory(4)}});
                    }),
            "nobody can go on: worker 0 waits for worker 1 to take stream 1, round 0, bucket 0, "
            "part 0; worker 1 waits for worker 0 to take stream 1, round 0, bucket 0, part 0");
}

TEST(Rehearsal, TheWorkerThatWaitsSaysWhere) {
  EXPECT_EQ(Problem(3,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() == 0) return absl::OkStatus();
                      return WithContext(Now(comm, {}, {{3 - comm->rank(), Key(0), memory(4)}}),
                                         absl::StrCat("in worker ", comm->rank()));
                    }),
            "in worker 1: nobody can go on: worker 1 waits for worker 2 to send stream 1, round 0, "
            "bucket 0, part 0; worker 2 waits for worker 1 to send stream 1, round 0, bucket 0, "
            "part 0");
}

TEST(Rehearsal, AskingForEverIsWaiting) {
  const auto ask = [](Communicator* comm) -> absl::Status {
    Memory memory;
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{1 - comm->rank(), Key(0), memory(4)}}, {}));
    while (!work->Done()) {
    }
    return work->Wait();
  };
  EXPECT_EQ(Problem(2, ask),
            "nobody can go on: worker 0 waits for worker 1 to send stream 1, round 0, bucket 0, "
            "part 0; worker 1 waits for worker 0 to send stream 1, round 0, bucket 0, part 0");
  // One that asks lets the others go on.
  EXPECT_EQ(Problem(2,
                    [&](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() == 0) return ask(comm);
                      return Now(comm, {{0, Key(0), memory(4)}}, {});
                    }),
            "");
}

TEST(Rehearsal, TimePassesForThoseWhoWaitForIt) {
  EXPECT_EQ(Problem(1,
                    [](Communicator* comm) -> absl::Status {
                      const double begin = comm->clock().NowSeconds();
                      while (comm->clock().NowSeconds() < begin + 1) {
                      }
                      comm->clock().SleepUntil(begin + 1e9);
                      EXPECT_GE(comm->clock().NowSeconds(), begin + 1e9);
                      return absl::OkStatus();
                    }),
            "");
}

// Whoever runs first: on another day it is the other one.
TEST(Rehearsal, MessagesThatCanBeConfusedAreRefused) {
  for (const int sender : {0, 1}) {
    const int receiver = 1 - sender;
    EXPECT_EQ(
        Problem(2,
                [&](Communicator* comm) -> absl::Status {
                  Memory memory;
                  if (comm->rank() == receiver) {
                    RETURN_IF_ERROR(Now(comm, {}, {{sender, Key(0), memory(4)}}));
                    return Now(comm, {}, {{sender, Key(0), memory(4)}});
                  }
                  ASSIGN_OR_RETURN(auto a, comm->Exchange({{receiver, Key(0), memory(4)}}, {}, {}));
                  ASSIGN_OR_RETURN(auto b, comm->Exchange({{receiver, Key(0), memory(4)}}, {}, {}));
                  RETURN_IF_ERROR(a->Wait());
                  return b->Wait();
                }),
        absl::StrCat("worker ", sender, " sends stream 1, round 0, bucket 0, part 0 to worker ",
                     receiver,
                     " while an earlier message with this key may still be on its way "
                     "there: the two can be confused"));
    EXPECT_EQ(
        Problem(2,
                [&](Communicator* comm) -> absl::Status {
                  Memory memory;
                  if (comm->rank() == sender) {
                    RETURN_IF_ERROR(Now(comm, {{receiver, Key(0), memory(4)}}, {}));
                    return Now(comm, {{receiver, Key(0), memory(4)}}, {});
                  }
                  return Now(comm, {}, {{sender, Key(0), memory(4)}, {sender, Key(0), memory(4)}});
                }),
        absl::StrCat("worker ", receiver,
                     " awaits stream 1, round 0, bucket 0, part 0 from worker ", sender,
                     " while it may still await an earlier message with this key: the two "
                     "can be confused"));
  }
}

TEST(Rehearsal, AKeyMayComeAgainOnceItIsKnownToHaveArrived) {
  EXPECT_EQ(Problem(2,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      const int other = 1 - comm->rank();
                      for (int i = 0; i < 3; ++i) {
                        RETURN_IF_ERROR(
                            Now(comm, {{other, Key(0), memory(4)}}, {{other, Key(0), memory(4)}}));
                      }
                      return absl::OkStatus();
                    }),
            "");
}

// Worker 0 sends `sent`, worker 1 has room for `room`.
std::string SizesProblem(Buffer sent, Buffer room, bool asks) {
  return Problem(2, [&](Communicator* comm) -> absl::Status {
    if (comm->rank() == 0) return Now(comm, {{1, Key(0), sent}}, {});
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{0, Key(0), room}}, {}));
    RETURN_IF_ERROR(work->Wait());
    if (asks) {
      EXPECT_EQ(work->arrivals()[0].count, sent.count);
      EXPECT_EQ(work->arrivals()[0].from, 0);
    }
    return absl::OkStatus();
  });
}

TEST(Rehearsal, MessagesFitTheirReceives) {
  Memory memory;
  EXPECT_EQ(SizesProblem(memory(4), memory(4), false), "");
  EXPECT_EQ(
      SizesProblem(memory(5), memory(4), true),
      "worker 0 sends 5 F32 as stream 1, round 0, bucket 0, part 0, and worker 1 has room for "
      "4 F32");
  EXPECT_EQ(
      SizesProblem(memory(4, DType::kF64), memory(8), true),
      "worker 0 sends 4 F64 as stream 1, round 0, bucket 0, part 0, and worker 1 has room for "
      "8 F32");
  EXPECT_EQ(SizesProblem(memory(3), memory(4), true), "");
  EXPECT_EQ(
      SizesProblem(memory(3), memory(4), false),
      "worker 0 sends 3 F32 as stream 1, round 0, bucket 0, part 0, and worker 1 has room for "
      "4 F32 and never asks how much came");
}

TEST(Rehearsal, DroppedExchangesAreSaid) {
  for (const int sender : {0, 1}) {
    const int receiver = 1 - sender;
    EXPECT_EQ(
        Problem(2,
                [&](Communicator* comm) -> absl::Status {
                  Memory memory;
                  if (comm->rank() == receiver) {
                    return Now(comm, {}, {{sender, Key(0), memory(4)}});
                  }
                  return comm->Exchange({{receiver, Key(0), memory(4)}}, {}, {}).status();
                }),
        absl::StrCat("worker ", sender, " sends stream 1, round 0, bucket 0, part 0 to worker ",
                     receiver, " and drops the exchange without waiting for its end"));
    EXPECT_EQ(Problem(2,
                      [&](Communicator* comm) -> absl::Status {
                        Memory memory;
                        if (comm->rank() == sender) return absl::OkStatus();
                        return comm->Exchange({}, {{sender, Key(0), memory(4)}}, {}).status();
                      }),
              absl::StrCat("worker ", receiver,
                           " awaits stream 1, round 0, bucket 0, part 0 from worker ", sender,
                           " and drops the exchange without waiting for its end"));
  }
  // Who listens to anyone may stop listening.
  EXPECT_EQ(Problem(2,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      return comm->Exchange({}, {{kAnyone, Key(0), memory(4)}}, {}).status();
                    }),
            "");
}

TEST(Rehearsal, AnyoneTakesWhatIsThereAndWhatComes) {
  EXPECT_EQ(Problem(3,
                    [](Communicator* comm) -> absl::Status {
                      Memory memory;
                      if (comm->rank() != 1) return Now(comm, {{1, Key(0), memory(4)}}, {});
                      ASSIGN_OR_RETURN(auto work, comm->Exchange({},
                                                                 {{kAnyone, Key(0), memory(4)},
                                                                  {kAnyone, Key(0), memory(4)}},
                                                                 {}));
                      RETURN_IF_ERROR(work->Wait());
                      EXPECT_EQ(work->arrivals()[0].from, 0);
                      EXPECT_EQ(work->arrivals()[1].from, 2);
                      return absl::OkStatus();
                    }),
            "");
}

TEST(Rehearsal, AWorkersOwnErrorComesFirst) {
  Rehearsal rehearsal(3, 3);
  const absl::Status status = rehearsal.Run([](Communicator* comm) -> absl::Status {
    Memory memory;
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{1, Key(comm->rank()), memory(4)}}, {}));
    if (comm->rank() == 1) return absl::UnimplementedError("no");
    return work->Wait();
  });
  EXPECT_EQ(status, absl::UnimplementedError("worker 1: no"));
}

TEST(Rehearsal, RanksOutsideTheWorldAreRefused) {
  Rehearsal rehearsal(2, 2);
  const absl::Status status = rehearsal.Run([](Communicator* comm) -> absl::Status {
    Memory memory;
    return Now(comm, {{2, Key(0), memory(4)}}, {});
  });
  EXPECT_EQ(status,
            absl::InvalidArgumentError("worker 0: worker 2 is not in this world of 2 workers"));
}

TEST(Rehearsal, AbortingEndsEverybody) {
  Rehearsal rehearsal(2, 2);
  const absl::Status status = rehearsal.Run([](Communicator* comm) -> absl::Status {
    Memory memory;
    if (comm->rank() == 1) comm->Abort(absl::InternalError("enough"));
    return Now(comm, {}, {{1 - comm->rank(), Key(0), memory(4)}});
  });
  EXPECT_EQ(status.message(), "enough");
}

}  // namespace
}  // namespace starling
