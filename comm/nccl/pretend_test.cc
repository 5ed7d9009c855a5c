#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(Pretended, BackendConformance,
                         testing::ValuesIn(BackendWorlds("pretend_nccl", {1, 2, 3, 5, 8},
                                                         "deterministic: true")),
                         BackendWorldName);

absl::Status RunPretended(int workers, const std::string& config,
                          const std::function<absl::Status(Communicator*)>& body) {
  Backend::Context context;
  context.workers = workers;
  ASSIGN_OR_RETURN(auto backend, CreateFromText<Backend>("pretend_nccl", config, context));
  return backend->Run(body);
}

// The carrier's own sums, behind what is queued.
TEST(PretendNccl, SumsOnTheCardAreTheCarriers) {
  const auto body = [](Communicator* comm) -> absl::Status {
    std::vector<int> group;
    for (int rank = comm->rank() % 2; rank < comm->size(); rank += 2) group.push_back(rank);
    float expected = 0;
    for (int member : group) expected += static_cast<float>(member + 1);
    for (int64_t round = 0; round < 3; ++round) {
      for (int64_t count : {0, 1, 7, 4096}) {
        const Arena values = Zeros(comm, count, DType::kF32);
        std::vector<float> numbers(count, static_cast<float>(comm->rank() + 1));
        CopyNow(AsBuffer(absl::MakeSpan(numbers)), values.buffer());
        const int64_t before = comm->bytes_sent(Traffic::kTraining);
        ASSIGN_OR_RETURN(auto work,
                         comm->AllReduceSum(group, {1, round, static_cast<int32_t>(count), 0},
                                            values.buffer(), {}));
        RETURN_IF_ERROR(work->Wait());
        CopyNow(values.buffer(), AsBuffer(absl::MakeSpan(numbers)));
        EXPECT_EQ(numbers, std::vector<float>(count, expected));
        const int64_t members = static_cast<int64_t>(group.size());
        EXPECT_EQ(comm->bytes_sent(Traffic::kTraining) - before,
                  2 * count / members * 4 * (members - 1));
      }
    }
    return absl::OkStatus();
  };
  for (int workers : {1, 2, 5}) EXPECT_EQ(RunPretended(workers, "", body), absl::OkStatus());
}

}  // namespace
}  // namespace starling
