#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "core/create_from_text.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(ThreadsOnACard, BackendConformance,
                         testing::ValuesIn(BackendWorlds("threads", {1, 2, 3, 5, 8},
                                                         "device: 'cuda:1'")),
                         BackendWorldName);

absl::Status RunOnCard(int workers, const std::function<absl::Status(Communicator*)>& body) {
  Backend::Context world;
  world.workers = workers;
  ASSIGN_OR_RETURN(auto backend, CreateFromText<Backend>("threads", "device: 'cuda:0'", world));
  return backend->Run(body);
}

// The elements of `values` once all that is queued has run.
std::vector<float> Now(const Arena& values) {
  std::vector<float> now(values.count());
  CopyNow(values.buffer(), AsBuffer(absl::MakeSpan(now)));
  return now;
}

TEST(ThreadsDevice, WhatIsQueuedIsReadBeforeTheMessageArrives) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const Arena values = Zeros(comm, 2, DType::kF32), kept = Zeros(comm, 2, DType::kF32);
    std::vector<float> own(2, comm->rank() + 1.0f);
    CopyNow(AsBuffer(absl::MakeSpan(own)), values.buffer());
    int64_t word = 0;  // on the host
    const Buffer go = AsBuffer(absl::MakeSpan(&word, 1));
    if (comm->rank() == 0) {
      RETURN_IF_ERROR(ExchangeNow(comm, {{1, {1, 0, 0, 0}, values.buffer()}}, {}));
      RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));  // it has arrived
      return ExchangeNow(comm, {{1, {1, 1, 0, 0}, go}}, {});
    }
    ops::Copy(values.buffer(), kept.buffer());
    ASSIGN_OR_RETURN(auto work, comm->Exchange({}, {{0, {1, 0, 0, 0}, values.buffer()}}, {}));
    RETURN_IF_ERROR(ExchangeNow(comm, {}, {{0, {1, 1, 0, 0}, go}}));
    RETURN_IF_ERROR(work->Wait());
    EXPECT_EQ(Now(kept), std::vector<float>(2, 2.0f));
    EXPECT_EQ(Now(values), std::vector<float>(2, 1.0f));
    return absl::OkStatus();
  };
  EXPECT_EQ(RunOnCard(2, body), absl::OkStatus());
}

TEST(ThreadsDevice, SumsAreOfWhatIsQueued) {
  const auto body = [](Communicator* comm) -> absl::Status {
    const Arena values = Zeros(comm, 64, DType::kF32), own = Zeros(comm, 64, DType::kF32);
    std::vector<float> numbers(64, comm->rank() + 1.0f);
    CopyNow(AsBuffer(absl::MakeSpan(numbers)), own.buffer());
    for (int64_t round = 0; round < 3; ++round) {
      ops::Copy(own.buffer(), values.buffer());
      ASSIGN_OR_RETURN(auto work,
                       comm->AllReduceSum({0, 1, 2}, {1, round, 0, 0}, values.buffer(), {}));
      RETURN_IF_ERROR(work->Wait());
      ops::Scale(2, values.buffer());
      EXPECT_EQ(Now(values), std::vector<float>(64, 12.0f));
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(RunOnCard(3, body), absl::OkStatus());
}

absl::Status Made(const std::string& device) {
  return CreateFromText<Backend>("threads", "device: '" + device + "'").status();
}

TEST(ThreadsDevice, SaysWhichDevicesThereAre) {
  EXPECT_EQ(Made("cuda:1"), absl::OkStatus());
  EXPECT_EQ(Made("gpu"), absl::InvalidArgumentError(
                             "device \"gpu\" is neither cpu nor a GPU: cuda:0, cuda:1, ..."));
  EXPECT_EQ(Made("cuda:-1"), absl::InvalidArgumentError(
                                 "device \"cuda:-1\" is neither cpu nor a GPU: cuda:0, cuda:1, "
                                 "..."));
  EXPECT_EQ(Made("cuda:2"),
            absl::InvalidArgumentError("device \"cuda:2\": there is no card 2; this machine has 2, "
                                       "numbered from 0"));
}

}  // namespace
}  // namespace starling
