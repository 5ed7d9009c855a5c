// Main of a test whose workers are processes.
#ifndef COMM_NCCL_WORLDS_MAIN_H_
#define COMM_NCCL_WORLDS_MAIN_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"

namespace starling {

// How many workers the world of this process has, by a launcher's variables; 1 without.
int WorldSize();

// Forks worlds of so many workers, each of which runs the program's tests, which make their backend
// for WorldSize() workers; then worlds of four that exchange without end, of which it kills one
// worker: the others must know within 5 seconds, and by name. `run` makes a backend and runs what
// it is given. Skips all if `can_run`, asked in a process of its own, says no.
//
// A process that a launcher has started only runs the tests: so they can be run on many machines.
//
// Returns what main should.
int TestInWorlds(
    const std::vector<int>& worlds,
    const std::function<absl::Status(const std::function<absl::Status(Communicator*)>&)>& run,
    const std::function<bool()>& can_run, int argc, char** argv);

}  // namespace starling

#endif  // COMM_NCCL_WORLDS_MAIN_H_
