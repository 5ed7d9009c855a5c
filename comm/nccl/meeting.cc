#include "comm/nccl/meeting.h"

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "comm/mpi_world.h"
#include "comm/rendezvous.h"
#include "core/status.h"

namespace starling {

absl::StatusOr<std::unique_ptr<ControlChannel>> Meet(const LaunchEnvironment& launch, int workers,
                                                     absl::Duration patience) {
  if (launch.launcher == "torchrun" || (launch.launcher.empty() && workers == 1)) {
    return MeetAtMaster(launch, workers, getenv, patience);
  }
  if (launch.launcher.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the config has ", workers,
        " workers, but this is one process, started by hand; start `torchrun --no-python ",
        "--nproc_per_node=", workers, " starling train ...` or `mpirun -np ", workers,
        " starling train ...`"));
  }
  ASSIGN_OR_RETURN(const MpiWorld world, StartMpi("nccl", launch, workers));
  return MeetOverMpi(world, patience);
}

}  // namespace starling
