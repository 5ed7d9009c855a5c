// Backend "nccl": every worker is a process with a card of its own, started by torchrun or mpirun.
#include <cstdlib>
#include <memory>
#include <utility>

#include "comm/backend.h"
#include "comm/launch_environment.h"
#include "comm/mpi_world.h"
#include "comm/nccl/dispatched_backend.h"
#include "comm/nccl/meeting.h"
#include "comm/nccl/nccl.pb.h"
#include "comm/nccl/nccl_carrier.h"
#include "core/device/device.h"
#include "core/registry.h"
#include "core/status.h"

namespace starling {
namespace {

// How long the processes of a run may take to find each other.
const absl::Duration kStartPatience = absl::Seconds(60);

class Nccl {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const NcclConfig& config,
                                                         const Backend::Context& context) {
    auto backend = CreateHere(config, context);
    if (!backend.ok()) return WithContext(backend.status(), "backend \"nccl\"");
    return backend;
  }

 private:
  static absl::StatusOr<std::unique_ptr<Backend>> CreateHere(const NcclConfig& config,
                                                             const Backend::Context& context) {
    ASSIGN_OR_RETURN(const LaunchEnvironment launch, ReadLaunchEnvironment(getenv));
    Device* const device = LinkedDevice();
    if (device == nullptr) {
      return absl::FailedPreconditionError(
          "this machine has no GPU that CUDA can use; `starling doctor` says more");
    }
    ASSIGN_OR_RETURN(auto channel, Meet(launch, context.workers, kStartPatience));
    DispatchedBackend::Options options;
    options.card = launch.local_rank % device->cards();
    options.deterministic = config.deterministic();
    options.lost = LeaveMpiUnfinalized;
    ASSIGN_OR_RETURN(options.carrier,
                     MakeNcclCarrier(channel->process(), context.workers, options.card));
    return DispatchedBackend::Create(context, std::move(options), std::move(channel),
                                     kStartPatience);
  }
};

STARLING_REGISTER_PLUGIN(Backend, Nccl, NcclConfig,
                         PluginFacts{"nccl",
                                     "workers are processes with a GPU each, on one machine or on "
                                     "many; messages go from card to card",
                                     "",
                                     {},
                                     ""});

}  // namespace
}  // namespace starling
