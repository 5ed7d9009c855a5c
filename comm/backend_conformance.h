// What every backend must do: instantiate this suite in the backend's own test,
//
//   INSTANTIATE_TEST_SUITE_P(Threads, BackendConformance,
//                            testing::ValuesIn(BackendWorlds("threads", {1, 2, 3, 8})),
//                            BackendWorldName);
//
// with the registered name, the numbers of workers to try and, if need be, the backend's config in
// text format. Vectors lie where the backend's communicators say; single numbers on the host, too.
// A backend whose processes are started from outside (MPI) names the one world that it was started
// with. All checks are made by the workers themselves, so it does not matter how many of them live
// in this process.
#ifndef COMM_BACKEND_CONFORMANCE_H_
#define COMM_BACKEND_CONFORMANCE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "gtest/gtest.h"

namespace starling {

struct BackendWorld {
  std::string backend;
  int workers = 1;
  std::string config;
};

std::vector<BackendWorld> BackendWorlds(const std::string& backend, const std::vector<int>& workers,
                                        const std::string& config = "");
std::string BackendWorldName(const testing::TestParamInfo<BackendWorld>& info);

class BackendConformance : public testing::TestWithParam<BackendWorld> {
 protected:
  using WorkerBody = std::function<absl::Status(Communicator*)>;

  int workers() const { return GetParam().workers; }

  // Runs `body` on a new backend of the world under test.
  absl::Status Run(const WorkerBody& body, int workers_per_node = 1, int cores = 2) const;
};

// Zeros where this worker's vectors lie.
Arena Zeros(Communicator* comm, int64_t count, DType type);

// Sets `to`, wherever it lies, to what `from` on the host holds, or the other way round; waits.
void CopyNow(Buffer from, Buffer to);

// Exchanges and waits.
absl::Status ExchangeNow(Communicator* comm, const std::vector<Send>& sends,
                         const std::vector<Receive>& receives, const ExchangeOptions& options = {});

}  // namespace starling

#endif  // COMM_BACKEND_CONFORMANCE_H_
