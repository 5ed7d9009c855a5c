// Clusters and models in figures (cluster.proto), from Starling's library or from files.
//
//   ASSIGN_OR_RETURN(ClusterSpec cluster, LoadCluster("t4_infiniband"));      // of the library
//   ASSIGN_OR_RETURN(ClusterSpec cluster, LoadCluster("my_cluster.textproto"));
//
// The library is the folder cluster/library: a cluster is added by adding one file there, which
// becomes part of the binary. What these functions return is complete: every field that has a
// default has a value, every rule holds, models know the share of every bucket.
#ifndef CLUSTER_CLUSTER_H_
#define CLUSTER_CLUSTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cluster/cluster.pb.h"
#include "core/config/problem.h"

namespace starling {

// Names in the library, sorted.
std::vector<std::string> ClusterNames();

// A cluster of the library, or else the file of this path. Errors: NOT_FOUND with the nearest name,
// or INVALID_ARGUMENT with every mistake in the file on a line of its own.
absl::StatusOr<ClusterSpec> LoadCluster(absl::string_view name_or_file);

// A file with one ModelProfile.
absl::StatusOr<ModelProfile> LoadModelProfile(absl::string_view file);

// Completes and checks what was made otherwise, or changed. Does no harm to what is complete.
absl::Status CompleteCluster(ClusterSpec* cluster, const TextLocations& locations = {});
absl::Status CompleteModelProfile(ModelProfile* model, const TextLocations& locations = {});

// The model of this name among those of the cluster; without a name the only one or the first.
// NOT_FOUND names those that there are.
absl::StatusOr<ModelProfile> ModelOf(const ClusterSpec& cluster, absl::string_view name);

// FAILED_PRECONDITION if the cluster has fewer machines than `workers` need.
absl::Status CheckWorkersFit(const ClusterSpec& cluster, int workers);

// Of one pair of workers on different machines, per direction, with nobody else on the network.
struct Link {
  double gbps = 0;
  double latency_us = 0;  // of the way; hop_latency_us comes on top
};
Link LinkBetween(const ClusterSpec& cluster, int node_a, int node_b);

// The index in cluster.site of a machine's site; 0 if all machines are in one place.
int SiteOfNode(const ClusterSpec& cluster, int node);

// Forward and backward pass of one worker of so many.
double ComputeMs(const ModelProfile& model, int workers);

// Sum over buckets.
double ModelMb(const ModelProfile& model);

}  // namespace starling

#endif  // CLUSTER_CLUSTER_H_
