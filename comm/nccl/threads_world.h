// Worlds for tests: workers in threads of this process, connected by TCP as processes are.
#ifndef COMM_NCCL_THREADS_WORLD_H_
#define COMM_NCCL_THREADS_WORLD_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "comm/backend.h"
#include "comm/nccl/carrier.h"

namespace starling {

// Runs `body` on a DispatchedBackend of each worker; returns every worker's result.
std::vector<absl::Status> RunInThreads(
    const Backend::Context& context, bool deterministic,
    const std::function<std::unique_ptr<Carrier>(int rank)>& new_carrier,
    const std::function<absl::Status(Communicator* comm, Carrier* carrier)>& body);

}  // namespace starling

#endif  // COMM_NCCL_THREADS_WORLD_H_
