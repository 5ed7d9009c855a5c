// How this process was started, and starting the processes of a run.
#ifndef EXPERIMENTS_LAUNCH_H_
#define EXPERIMENTS_LAUNCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "comm/launch_environment.h"

namespace starling {

// What launched this process (comm/launch_environment.h), read once. INVALID_ARGUMENT for variables
// that contradict each other.
const absl::StatusOr<LaunchEnvironment>& Launch();

// Whether this process speaks for the run: the only one, or the first of those that a launcher has
// started.
bool IsLead();

// The command that starts `np` processes of `program` with `args` through mpirun, on `hosts`
// ("a:2,b:2"; empty: here); np 0: as many as the hosts have slots. Flags --np and --hosts are left
// out of `args`. INVALID_ARGUMENT if that makes no sense.
absl::StatusOr<std::vector<std::string>> MpirunCommand(int np, const std::string& hosts,
                                                       const std::string& program,
                                                       const std::vector<std::string>& args);

// The exit code of a run that a scheduler's signal has stopped: `train --resume` goes on with it.
// EX_TEMPFAIL of sysexits.h.
inline constexpr int kResumableExitCode = 75;
inline constexpr int kCtrlCExitCode = 130;  // as shells have it

// Runs `command`, which MpirunCommand made, and returns its exit code. Asks it to stop as the
// signals of this process ask: SIGINT, SIGTERM or SIGUSR1 once has all workers finish their step
// (mpirun passes SIGUSR1 on; after a SIGTERM it would kill within a second), twice ends it; SIGUSR2
// is passed on. UNAVAILABLE if it cannot be started.
absl::StatusOr<int> RunProcesses(const std::vector<std::string>& command);

}  // namespace starling

#endif  // EXPERIMENTS_LAUNCH_H_
