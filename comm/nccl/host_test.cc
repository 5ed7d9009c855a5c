// Backend "nccl" but for the cards: all exchanges are on the host. In worlds of processes that the
// program forks (worlds_main.h), or that mpirun starts.
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "comm/backend.h"
#include "comm/backend_conformance.h"
#include "comm/launch_environment.h"
#include "comm/mpi_world.h"
#include "comm/nccl/dispatched_backend.h"
#include "comm/nccl/meeting.h"
#include "comm/nccl/nccl.pb.h"
#include "comm/nccl/worlds_main.h"
#include "core/registry.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

const absl::Duration kPatience = absl::Seconds(30);

class Hosts {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const NcclConfig&,
                                                         const Backend::Context& context) {
    ASSIGN_OR_RETURN(const LaunchEnvironment launch, ReadLaunchEnvironment(getenv));
    ASSIGN_OR_RETURN(auto channel, Meet(launch, context.workers, kPatience));
    DispatchedBackend::Options options;
    options.lost = LeaveMpiUnfinalized;
    return DispatchedBackend::Create(context, std::move(options), std::move(channel), kPatience);
  }
};

STARLING_REGISTER_PLUGIN(Backend, Hosts, NcclConfig, PluginFacts{"hosts", "workers are processes"});

INSTANTIATE_TEST_SUITE_P(Hosts, BackendConformance,
                         testing::ValuesIn(BackendWorlds("hosts", {WorldSize()})),
                         BackendWorldName);

absl::Status RunHosts(const std::function<absl::Status(Communicator*)>& body) {
  PluginRef ref;
  ref.set_name("hosts");
  Backend::Context world;
  world.workers = WorldSize();
  ASSIGN_OR_RETURN(auto backend, Registry<Backend>::Global().Create(ref, world));
  return backend->Run(body);
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
  return starling::TestInWorlds(
      {1, 2, 3, 4}, starling::RunHosts, [] { return true; }, argc, argv);
}
