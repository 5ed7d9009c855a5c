// Backends: who the workers are and how they talk: threads of this process, MPI ranks, ...
#ifndef COMM_BACKEND_H_
#define COMM_BACKEND_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "comm/faults.pb.h"
#include "comm/process_group.h"

namespace starling {

class Backend {
 public:
  static constexpr char kKind[] = "backend";
  struct Context {
    int workers = 1;
    int workers_per_node = 1;
    int cores = 1;      // workers that may compute at the same time in this process
    uint64_t seed = 0;  // of what is random about simulated machines
    Faults faults{};    // where they are simulated
  };

  virtual ~Backend() = default;

  // The processes that share the run, of which this is one; null if it is the only one.
  virtual ProcessGroup* processes() { return nullptr; }

  // Runs `worker` once for every worker of this process, each on its own thread with its own
  // communicator, and returns when all have ended. When one returns an error, all others are
  // aborted; the result, the same in every process, is the error that came first, with its
  // worker's number.
  virtual absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) = 0;
};

}  // namespace starling

#endif  // COMM_BACKEND_H_
