// Messages and sums between cards by NCCL.
//
// Communicators are non-blocking: no call waits for other processes, so that an abort reaches a
// worker whose peer has died in the middle of connecting. All are split off from a first one, in
// which nothing ever moves: ncclCommSplit wants nothing under way, and all workers to call it,
// which they do because the referee's orders come to all. Each has a stream of its own.
#ifndef COMM_NCCL_NCCL_CARRIER_H_
#define COMM_NCCL_NCCL_CARRIER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "comm/nccl/carrier.h"

namespace starling {

// Of worker `rank` of `size`, on `card`, which the calling thread uses too from here on. Errors are
// NCCL's own words: INTERNAL, or DEADLINE_EXCEEDED when it does not connect the workers in time.
absl::StatusOr<std::unique_ptr<Carrier>> MakeNcclCarrier(int rank, int size, int card);

}  // namespace starling

#endif  // COMM_NCCL_NCCL_CARRIER_H_
