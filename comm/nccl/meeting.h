// How the processes of a run find each other, whoever has started them.
#ifndef COMM_NCCL_MEETING_H_
#define COMM_NCCL_MEETING_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "comm/control_channel.h"
#include "comm/launch_environment.h"

namespace starling {

// The channel of this process, to be started; all `workers` call it. torchrun's processes, and one
// that was started by hand, meet where MASTER_ADDR and MASTER_PORT say, those of mpirun and srun
// over MPI. INVALID_ARGUMENT says how to start instead; UNAVAILABLE: somebody has not come within
// `patience`.
absl::StatusOr<std::unique_ptr<ControlChannel>> Meet(const LaunchEnvironment& launch, int workers,
                                                     absl::Duration patience);

}  // namespace starling

#endif  // COMM_NCCL_MEETING_H_
