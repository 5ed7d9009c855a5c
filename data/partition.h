// Partitions: which training examples belong to which worker.
//
// A partition is made once, before training; which of its examples a worker reads when is the
// sampler's business (sampler.h). Plug-ins: iid, dirichlet, shards; README.md compares them.
#ifndef DATA_PARTITION_H_
#define DATA_PARTITION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace starling {

// A partition of the examples 0..examples-1 over workers.
struct Assignment {
  // Shared: every worker may read every example; the sampler deals each epoch's shuffle out to
  // them (`owned` is empty). Otherwise worker r owns owned[r], sorted, and cycles through it.
  bool shared = false;
  std::vector<std::vector<int64_t>> owned;
};

class Partition {
 public:
  static constexpr char kKind[] = "partition";
  struct Context {
    int workers = 1;
    uint64_t seed = 0;
    int64_t examples = 0;  // of the training split
    // Their classes, all in 0..classes-1; empty where there are none. Must outlive the partition.
    absl::Span<const int32_t> labels;
    int64_t classes = 0;
  };

  virtual ~Partition() = default;

  // INVALID_ARGUMENT if the partition cannot be made as configured (no labels, an impossible
  // minimum), saying what would be possible. Every worker owns at least one example. Pure: the
  // same assignment for the same config and context.
  virtual absl::StatusOr<Assignment> Assign() const = 0;
};

// 64-bit hash of who owns what; for run records.
uint64_t Fingerprint(const Assignment& assignment);

// A table of examples per class and worker, for people: a line of headings, one line per worker
// (at most `max_lines`, then one that counts the rest), at most 80 columns; classes that do not
// fit are summed in the column "others". Empty for shared assignments and without labels.
std::string ClassTable(const Assignment& assignment, absl::Span<const int32_t> labels,
                       int64_t classes, int max_lines);

// For partitions by class: INVALID_ARGUMENT, in the name of partition `name`, if the data set has
// no labels.
absl::Status CheckHasLabels(const Partition::Context& context, absl::string_view name);

// The ids of each class, ascending. CHECK-fails on a label outside 0..classes-1.
std::vector<std::vector<int64_t>> ExamplesByClass(absl::Span<const int32_t> labels,
                                                  int64_t classes);

}  // namespace starling

#endif  // DATA_PARTITION_H_
