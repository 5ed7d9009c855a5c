// The digest trail of a run, digests.jsonl: what every worker's state was, step by step, without
// the state. Two trails tell where two runs part: step, worker and tensor.
//
//   {"names":"<16 hex>","tensors":["parameters/fc1.weight","optimizer/step",...]}
//   {"step":37,"worker":3,"names":"<16 hex>","digests":"<16 hex for each tensor>"}
//
// A line of the second kind is a worker's state at the end of a step (counted from 1, as in
// metrics), before measurements; `names` refers to a line before it, since what is state may depend
// on worker and step (values on their way). Digests are those of DigestVisitor (core/state.h).
#ifndef EXPERIMENTS_DIGEST_TRAIL_H_
#define EXPERIMENTS_DIGEST_TRAIL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/run/file_io.h"

namespace starling {

inline constexpr char kDigestTrailFile[] = "digests.jsonl";

// By tensor, in the order of state: parameters first, in backward order.
using TensorDigests = std::vector<std::pair<std::string, uint64_t>>;

class DigestTrailWriter {
 public:
  // Goes on where `position` was of an earlier part of the run; empty: from the beginning.
  static absl::StatusOr<std::unique_ptr<DigestTrailWriter>> Open(const std::string& path,
                                                                 const std::string& position);

  // Steps in ascending order. The record reaches the system before this returns.
  absl::Status Record(int64_t step, int worker, const TensorDigests& digests);

  std::string position() const;
  absl::Status Flush();  // waits for the disk

 private:
  explicit DigestTrailWriter(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  std::unique_ptr<AppendFile> file_;
  std::set<std::string> written_;  // what "names" has named
};

struct DigestTrail {
  struct State {  // of one worker after one step
    std::shared_ptr<const std::vector<std::string>> tensors;
    std::vector<uint64_t> digests;
  };
  std::map<int64_t, std::map<int, State>> steps;  // by step, by worker
};

// NOT_FOUND, or DATA_LOSS naming the line that is none of a trail.
absl::StatusOr<DigestTrail> ReadDigestTrail(const std::string& path);

// Where two trails part.
struct TrailDifference {
  int64_t step = 0;
  int64_t equal_step = 0;  // the last one before it that both have, and equal; 0: none
  int worker = 0;          // the first that differs
  std::string tensor;      // its first that differs
  int workers = 0, differing_workers = 0;
  int64_t tensors = 0, differing_tensors = 0;  // over all workers
};

// What two trails have in common, up to their first difference.
struct TrailComparison {
  int64_t steps = 0;  // that both have, and equal
  std::optional<TrailDifference> difference;
};

// Compares the steps that both trails have from `from` to `until`, both included. A worker or
// tensor that only one of them has differs.
TrailComparison Compare(const DigestTrail& a, const DigestTrail& b, int64_t from = 0,
                        int64_t until = INT64_MAX);

}  // namespace starling

#endif  // EXPERIMENTS_DIGEST_TRAIL_H_
