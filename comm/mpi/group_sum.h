// MPI's own all-reduce over groups of workers: its bits depend on the library and on timing.
#ifndef COMM_MPI_GROUP_SUM_H_
#define COMM_MPI_GROUP_SUM_H_

#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "comm/mpi/transport.h"
#include "mpi.h"

namespace starling {

// Makes one MPI communicator per distinct group, when it is first used, and keeps it. By the
// worker's thread only. `transport` (not owned) makes progress meanwhile and knows of aborts.
class MpiGroupSum {
 public:
  MpiGroupSum(int rank, MpiTransport* transport) : rank_(rank), transport_(transport) {}

  static bool Takes(DType type) { return type == DType::kF32 || type == DType::kF64; }

  // As Communicator::AllReduceSum; all members must start the sums of a group in the same order.
  absl::StatusOr<std::unique_ptr<Work>> Start(absl::Span<const int> group, MessageKey key,
                                              Buffer values, const ExchangeOptions& options,
                                              Recorder* recorder);

 private:
  int rank_;
  MpiTransport* transport_;
  std::map<std::vector<int>, MPI_Comm> comms_;  // by sorted ranks
};

}  // namespace starling

#endif  // COMM_MPI_GROUP_SUM_H_
