// What a cluster's network can do, read from the output of nccl-tests: for a cluster that has GPUs
// and NCCL, and on which Starling does not run yet.
//
// Read are the tables that all_reduce_perf and sendrecv_perf print, of any version (in the old ones
// the columns "root" or "redop" are missing), with whatever else stands between the lines. Wanted
// are up to three kinds of run, built with MPI=1, each from 8 bytes to 1 GB:
//
//   on one machine                    node_gbps
//   on several, one communicator      communicator_gbps, latencies
//   on several, L at once             nic_gbps       (NCCL_TESTS_SPLIT="MOD L" makes L of them)
//
// A run of several communicators shows what a card can carry for all of them together.
#ifndef CLUSTER_NCCL_TESTS_H_
#define CLUSTER_NCCL_TESTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cluster/cluster.pb.h"

namespace starling {

// One run of one test.
struct NcclRun {
  struct Row {
    double bytes = 0;        // column "size"
    std::vector<double> us;  // column "time": out of place, in place
  };

  std::string file;        // for messages
  bool all_reduce = true;  // else send and receive, around a ring of all ranks
  int ranks = 0;           // of each communicator
  int nodes = 0;           // of all ranks
  int ranks_per_node = 0;
  bool crosses = false;  // some communicator spans machines
  int flows = 1;         // streams that leave a machine at once; 1 inside one machine
  std::vector<Row> rows;

  // Bytes that each rank sends, over `bytes`: 2 (m-1)/m, or 1.
  double volume() const { return all_reduce ? 2.0 * (ranks - 1) / ranks : 1; }
  // Messages one after another.
  int hops() const { return all_reduce ? 2 * (ranks - 1) : 1; }
};

// The runs in `text`, in order. `file` stands in messages only. INVALID_ARGUMENT with file and
// line: no table, a table without the lines "#  Rank  0 ...", a collective other than the two,
// ranks spread unevenly, wrong values, and what nccl-tests prints when it was built without MPI.
absl::StatusOr<std::vector<NcclRun>> ParseNcclTests(absl::string_view text, absl::string_view file);

// A spec with the figures above. Each is the median over the rows that show it, and its spread the
// rows' standard deviation: latency = the time of at most 1 kB; rate = volume() bytes / (time -
// latency) of at least 1 MB (without such rows: of the largest). Latencies of communicators of
// different sizes are split into collective_latency_us + hops() hop_latency_us by least squares,
// neither below 0.
// INVALID_ARGUMENT if no run crosses machines, or none shows the inside of machines with several
// ranks.
absl::StatusOr<ClusterSpec> FitNcclRuns(absl::Span<const NcclRun> runs);

// Both, from files.
absl::StatusOr<ClusterSpec> ImportNcclTests(absl::Span<const std::string> files);

}  // namespace starling

#endif  // CLUSTER_NCCL_TESTS_H_
