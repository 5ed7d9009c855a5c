// Who started this process, and as which of how many: read from the variables that launchers set.
//
// The first complete set wins, in this order: torchrun, Open MPI, MPICH and PMIx, MVAPICH, Slurm.
// Slurm comes last because its variables are also there inside an mpirun or torchrun that was
// started in an allocation.
#ifndef COMM_LAUNCH_ENVIRONMENT_H_
#define COMM_LAUNCH_ENVIRONMENT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace starling {

struct LaunchEnvironment {
  std::string launcher;  // "Open MPI", "Slurm", ...; empty: started by hand
  int rank = 0;
  int size = 1;        // -1: the launcher does not say
  int local_rank = 0;  // among the processes on this machine; 0 where the launcher does not say
};

// `get` returns a variable's value or null; normally getenv. INVALID_ARGUMENT if no set is complete
// but one is begun, or a value is no number: says what was found and what is missing.
absl::StatusOr<LaunchEnvironment> ReadLaunchEnvironment(
    const std::function<const char*(const char* name)>& get);

}  // namespace starling

#endif  // COMM_LAUNCH_ENVIRONMENT_H_
