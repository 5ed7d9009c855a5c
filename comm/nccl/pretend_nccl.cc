// Backend "pretend_nccl", which is "nccl" but for NCCL: workers in threads of this process,
// connected by TCP as processes are, on the pretended card (core/device/pretend_device.h).
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/backend.h"
#include "comm/nccl/nccl.pb.h"
#include "comm/nccl/pretend_carrier.h"
#include "comm/nccl/threads_world.h"
#include "core/registry.h"
#include "glog/logging.h"

namespace starling {
namespace {

class PretendNccl final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const NcclConfig& config,
                                                         const Context& context) {
    return std::make_unique<PretendNccl>(context, config.deterministic());
  }
  PretendNccl(const Context& context, bool deterministic)
      : context_(context), deterministic_(deterministic) {}

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    PretendWorld world(context_.workers);
    const auto results = RunInThreads(
        context_, deterministic_, [&](int rank) { return world.NewCarrier(rank); },
        [&](Communicator* comm, Carrier*) { return worker(comm); });
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
