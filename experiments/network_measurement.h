// What the network between workers can do, measured through their communicators alone.
//
// All workers exchange messages of several sizes at the same time, as a training step has them do:
//
//   inside       pairs on every machine                                    -> node_gbps
//   across       one pair through every card                               -> communicator_gbps
//   cards        all workers of two machines in pairs, through their cards -> nic_gbps
//   one way      as `across`, but one of both sends                        -> half_duplex
//   sum          of all workers                                            -> hop_latency_us
//
// Sizes are chosen so that the largest takes some 60 ms; a straight line through the medians
// separates latency from rate (cluster/message_times.h).
#ifndef EXPERIMENTS_NETWORK_MEASUREMENT_H_
#define EXPERIMENTS_NETWORK_MEASUREMENT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/cluster.pb.h"
#include "comm/communicator.h"

namespace starling {

// Called by all workers of the world; all get the same figures, with spreads. `say` gets a line of
// text per pattern.
absl::StatusOr<ClusterSpec> MeasureNetwork(Communicator* comm,
                                           const std::function<void(const std::string&)>& say);

// `own` of every worker, by rank. Called by all; `number` is one more each time.
absl::StatusOr<std::vector<double>> GatherMeasured(Communicator* comm, int64_t number, double own);

}  // namespace starling

#endif  // EXPERIMENTS_NETWORK_MEASUREMENT_H_
