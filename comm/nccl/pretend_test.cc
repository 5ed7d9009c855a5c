// Backend "nccl" but for NCCL: workers in threads of this process, connected by TCP as processes
// are, on a pretended card.
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "comm/control_channel.h"
#include "comm/nccl/dispatched_backend.h"
#include "comm/nccl/nccl.pb.h"
#include "comm/nccl/pretend_carrier.h"
#include "core/buffer.h"
#include "core/create_from_text.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

const absl::Duration kPatience = absl::Seconds(30);

class PretendNccl final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const NcclConfig& config,
                                                         const Context& context) {
    return std::make_unique<PretendNccl>(context, config.deterministic());
  }
  PretendNccl(const Context& context, bool deterministic)
      : context_(context), deterministic_(deterministic) {}

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    const int workers = context_.workers;
    PretendWorld world(workers);
    auto lead = ControlChannel::Listen(workers);
    CHECK_OK(lead);
    const std::string address = (*lead)->address();
    std::vector<absl::Status> results(workers);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < workers; ++rank) {
      threads.emplace_back([&, rank] {
        auto channel = rank == 0 ? std::move(lead) : ControlChannel::Join(address, rank, kPatience);
        CHECK_OK(channel);
        DispatchedBackend::Options options;
        options.carrier = world.NewCarrier(rank);
        options.deterministic = deterministic_;
        auto backend =
            DispatchedBackend::Create(context_, std::move(options), *std::move(channel), kPatience);
        CHECK_OK(backend);
        results[rank] = (*backend)->Run(worker);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& result : results) EXPECT_EQ(result, results[0]);
    return results[0];
  }

 private:
  Context context_;
  bool deterministic_;
};

STARLING_REGISTER_PLUGIN(Backend, PretendNccl, NcclConfig,
                         PluginFacts{"pretend_nccl", "workers share a pretended card"});

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
