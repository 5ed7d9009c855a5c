// Backend nccl in worlds of several processes, on one card or on as many as there are.
//
// The program forks the workers (comm/nccl/worlds_main.h), and each runs the tests below.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "comm/nccl/worlds_main.h"
#include "core/create_from_text.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

// Bits are promised of Starling's own sums only.
INSTANTIATE_TEST_SUITE_P(Nccl, BackendConformance,
                         testing::ValuesIn(BackendWorlds("nccl", {WorldSize()},
                                                         "deterministic: true")),
                         BackendWorldName);

absl::Status RunNccl(const std::function<absl::Status(Communicator*)>& body) {
  Backend::Context world;
  world.workers = WorldSize();
  ASSIGN_OR_RETURN(auto backend, CreateFromText<Backend>("nccl", "", world));
  return backend->Run(body);
}

// Small integers: sums are exact in every order and type.
TEST(Nccl, SumsOverGroupsAreExact) {
  const auto body = [](Communicator* comm) -> absl::Status {
    for (int parts : {1, 2, comm->size()}) {
      std::vector<int> group;
      for (int rank = comm->rank() % parts; rank < comm->size(); rank += parts) {
        group.push_back(rank);
      }
      for (DType type : {DType::kF32, DType::kF64, DType::kF16, DType::kBF16}) {
        for (int64_t count : {1, 7, 4096, 1 << 20}) {
          const Arena values = Zeros(comm, count, type), floats = Zeros(comm, count, DType::kF32);
          std::vector<float> numbers(count), expected(count);
          for (int64_t i = 0; i < count; ++i) {
            const auto term = [&](int rank) { return static_cast<float>((rank * 5 + i) % 17 - 8); };
            numbers[i] = term(comm->rank());
            for (int member : group) expected[i] += term(member);
          }
          CopyNow(AsBuffer(absl::MakeSpan(numbers)), floats.buffer());
          ops::Convert(floats.buffer(), values.buffer());
          const MessageKey key{static_cast<uint16_t>(type), count, parts, 0};
          ASSIGN_OR_RETURN(auto work, comm->AllReduceSum(group, key, values.buffer(), {}));
          RETURN_IF_ERROR(work->Wait());
          ops::Convert(values.buffer(), floats.buffer());
          CopyNow(floats.buffer(), AsBuffer(absl::MakeSpan(numbers)));
          EXPECT_EQ(numbers, expected) << DTypeName(type) << ", " << group.size() << " members";
        }
      }
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(RunNccl(body), absl::OkStatus());
}

// Messages of 16 MiB around a ring, in buckets that each worker begins in a sequence of its own.
TEST(Nccl, LargeMessagesGoRoundARing) {
  const auto body = [](Communicator* comm) -> absl::Status {
    constexpr int kBuckets = 5;
    constexpr int64_t kCount = 4 << 20;
    const int n = comm->size(), next = (comm->rank() + 1) % n, last = (comm->rank() + n - 1) % n;
    std::vector<Arena> out, in;
    std::vector<std::unique_ptr<Work>> works(kBuckets);
    for (int k = 0; k < kBuckets; ++k) {
      out.push_back(Zeros(comm, kCount, DType::kF32));
      in.push_back(Zeros(comm, kCount, DType::kF32));
    }
    for (int64_t round = 0; round < 4; ++round) {
      for (int k = 0; k < kBuckets; ++k) {
        const int bucket = (k * (comm->rank() + 1) + comm->rank()) % kBuckets;
        std::vector<float> numbers(kCount, static_cast<float>(comm->rank() * 100 + bucket + round));
        CopyNow(AsBuffer(absl::MakeSpan(numbers)), out[bucket].buffer());
        const MessageKey key{1, round, bucket, 0};
        ASSIGN_OR_RETURN(works[bucket], comm->Exchange({{next, key, out[bucket].buffer()}},
                                                       {{last, key, in[bucket].buffer()}}, {}));
      }
      for (int bucket = 0; bucket < kBuckets; ++bucket) {
        RETURN_IF_ERROR(works[bucket]->Wait());
        std::vector<float> numbers(kCount);
        CopyNow(in[bucket].buffer(), AsBuffer(absl::MakeSpan(numbers)));
        EXPECT_EQ(numbers,
                  std::vector<float>(kCount, static_cast<float>(last * 100 + bucket + round)));
      }
    }
    return absl::OkStatus();
  };
  EXPECT_EQ(RunNccl(body), absl::OkStatus());
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  return starling::TestInWorlds(
      {1, 2, 4}, starling::RunNccl, [] { return starling::LinkedDevice() != nullptr; }, argc, argv);
}
