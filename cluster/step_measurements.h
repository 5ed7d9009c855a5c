// Step times that somebody measured on a cluster, as a table, and what the model says they are of.
#ifndef CLUSTER_STEP_MEASUREMENTS_H_
#define CLUSTER_STEP_MEASUREMENTS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/exchange_plan.h"
#include "topology/topology.h"

namespace starling {

// Mean time of one training step of one method.
struct StepMeasurement {
  std::string cluster;  // rows with the same name are of the same machines
  int gpus = 0;         // workers
  int workers_per_node = 0;
  std::string method;  // of MethodNames()
  double ms = 0;
};

//   allreduce  bucketed All-Reduce of gradients
//   exp        overlapped gossip (AWC) over topology one_peer_exp
//   aer        ... over alternating_exp_ring
//   complete   ... over complete
//   sgp        stochastic gradient push to the worker 1, 2, 4, ... places ahead in turn; its
//              messages leave after the update, and the next step waits for them
const std::vector<std::string>& MethodNames();

// How a method exchanges. The topologies' plug-ins must be linked.
struct Method {
  ExchangePlan plan;
  std::unique_ptr<Topology> topology;  // null: none
};

// INVALID_ARGUMENT: no such method, or its topology does not take so many workers.
absl::StatusOr<Method> MakeMethod(absl::string_view name, int workers, int workers_per_node);

// Reads a CSV file's text with the header cluster,gpus,workers_per_node,method,ms (columns in any
// order; others are passed over; lines that begin with '#' too). `file` stands in messages only.
// INVALID_ARGUMENT with file, line and what is wrong; among that a method that the table's world
// does not allow.
absl::StatusOr<std::vector<StepMeasurement>> ParseMeasurements(absl::string_view text,
                                                               absl::string_view file);

// Whether the row is one of those that `terms` describe: "gpus:64", or several terms, all of which
// hold: "cluster:4xA100,gpus:32". Columns: cluster, gpus, workers_per_node, method.
// INVALID_ARGUMENT: a term of another form or of another column.
absl::StatusOr<bool> Matches(const StepMeasurement& row, absl::string_view terms);

}  // namespace starling

#endif  // CLUSTER_STEP_MEASUREMENTS_H_
