// MPI for backends of several processes: to be started once, and to tell where the control
// channel's lead is.
#ifndef COMM_MPI_WORLD_H_
#define COMM_MPI_WORLD_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "comm/launch_environment.h"

namespace starling {

struct MpiWorld {
  int rank = 0;
  int size = 1;
};

// Initializes MPI, once in a process, and has it finalized at the end of one that did well.
// UNAVAILABLE: MPI fails, or was built without MPI_THREAD_MULTIPLE. INVALID_ARGUMENT: the launcher
// or `workers` disagrees with MPI; says how to start instead. `backend` is named in errors.
absl::StatusOr<MpiWorld> StartMpi(absl::string_view backend, const LaunchEnvironment& launch,
                                  int workers);

// From here on MPI is not finalized: with a peer that has failed that would wait for ever.
void LeaveMpiUnfinalized();

// The channel of this process, to be started; all call it.
absl::StatusOr<std::unique_ptr<ControlChannel>> MeetOverMpi(const MpiWorld& world,
                                                            absl::Duration patience);

}  // namespace starling

#endif  // COMM_MPI_WORLD_H_
