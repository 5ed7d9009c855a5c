// What the network between workers can do, measured through their communicators alone.
//
// In each pattern all workers that take part exchange messages at the same time, as training steps
// do, and the slowest counts. Sums are Communicator::AllReduceSum, pairs groups of two:
//
//   one message    one worker of each machine and its partner send to each other
//                                                         -> collective_latency_us
//   one way        as above, but one of both sends        -> half_duplex
//   pairs inside   neighbours on each machine, sums       -> node_gbps
//   one pair       through each card, sums                -> communicator_gbps
//   all pairs      all workers of two machines, sums      -> nic_gbps
//   all workers    one sum                                -> hop_latency_us
//
// The largest message of a pattern takes about 60 ms, the others halves of it; a straight line
// through medians separates latency from rate (cluster/message_times.h). Messages that are long
// compared with what a card may send at once (a shaper's burst) show what lasts.
#ifndef EXPERIMENTS_NETWORK_MEASUREMENT_H_
#define EXPERIMENTS_NETWORK_MEASUREMENT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/cluster.pb.h"
#include "comm/communicator.h"

namespace starling {

// Gets a line of text now and then, at most 80 columns.
using Say = std::function<void(const std::string& line)>;

// `own` of every worker, by rank. Called by all workers; `number` is one more each time.
absl::StatusOr<std::vector<double>> GatherMeasured(Communicator* comm, int64_t number, double own);

// Called by all workers of the world; all get the same figures, with their spreads. What the world
// has no workers for (rates across machines on one machine) is absent. `number`: of the first
// exchange; it is advanced.
absl::StatusOr<ClusterSpec> MeasureNetwork(Communicator* comm, int64_t* number, const Say& say);

}  // namespace starling

#endif  // EXPERIMENTS_NETWORK_MEASUREMENT_H_
