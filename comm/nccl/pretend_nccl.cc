// Backend "pretend_nccl", which is "nccl" but for NCCL: workers in threads of this process,
// connected by TCP as processes are, on the pretended card (core/device/pretend_device.h).
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "comm/backend.h"
#include "comm/control_channel.h"
#include "comm/nccl/dispatched_backend.h"
#include "comm/nccl/nccl.pb.h"
#include "comm/nccl/pretend_carrier.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"

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
    for (const absl::Status& result : results) CHECK_EQ(result, results[0]);
    return results[0];
  }

 private:
  Context context_;
  bool deterministic_;
};

STARLING_REGISTER_PLUGIN(Backend, PretendNccl, NcclConfig,
                         PluginFacts{"pretend_nccl", "workers share a pretended card"});

}  // namespace
}  // namespace starling
