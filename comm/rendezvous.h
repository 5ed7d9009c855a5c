// How processes find each other that were started by torchrun, or by hand with its variables: all
// know where process 0 is, MASTER_ADDR, and at which port it listens, MASTER_PORT.
//
// torchrun's agent may listen at that port itself, which it says by TORCHELASTIC_USE_AGENT_STORE;
// then the next port is taken.
#ifndef COMM_RENDEZVOUS_H_
#define COMM_RENDEZVOUS_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "comm/launch_environment.h"

namespace starling {

// The channel of process `launch.rank`, to be started. Process 0 listens at MASTER_ADDR only. A
// single process needs no variables and meets nobody. `get` as for ReadLaunchEnvironment.
//
// INVALID_ARGUMENT: there are not `workers` processes; MASTER_ADDR or MASTER_PORT is missing, is
// none, or no address of process 0's machine. UNAVAILABLE: the port is taken; nobody has answered
// there within `patience`.
absl::StatusOr<std::unique_ptr<ControlChannel>> MeetAtMaster(
    const LaunchEnvironment& launch, int workers,
    const std::function<const char*(const char* name)>& get, absl::Duration patience);

}  // namespace starling

#endif  // COMM_RENDEZVOUS_H_
