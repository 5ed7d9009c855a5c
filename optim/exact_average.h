// The exact average over all workers (that are alive), bucket by bucket: what algorithms without a
// topology do.
//
//   average.Begin(step, b, values);   // values <- 1/n sum of all workers' values, under way
//   ...
//   average.End(b);                   // done
//
// With a narrower mixing.precision values are rounded to it, summed in it, and the mean is widened.
//
// Traffic: one sum over all workers, 2 (n-1)/n of the bucket out of every worker and 2 (N-1)/N of
// it out of every machine (n workers on N machines); nothing with one worker. Memory: scratch of
// the buckets in flight; with a narrower precision one send buffer.
#ifndef OPTIM_EXACT_AVERAGE_H_
#define OPTIM_EXACT_AVERAGE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "optim/worker.h"

namespace starling {

class ExactAverage {
 public:
  // Messages use `stream`, which nothing else of the algorithm may use. Values are of `type`.
  // RESOURCE_EXHAUSTED: a device has no room for what is sent.
  static absl::StatusOr<std::unique_ptr<ExactAverage>> Create(const Worker& worker, uint16_t stream,
                                                              DType type);

  // From here on the average is over those who are alive, this worker among them. Nothing may
  // be under way.
  void SetMembers(const Membership& membership) { members_ = membership.living(); }

  // Starts; without mixing.overlap also waits. `values`, the elements of `bucket`, belong to the
  // average until End. `round` must be equal on all workers, and new for the bucket.
  absl::Status Begin(int64_t round, int bucket, Buffer values);

  // Waits. All workers must end their buckets in the same order.
  absl::Status End(int bucket);

 private:
  ExactAverage(const Worker& worker, uint16_t stream);

  struct Flight {
    Buffer values, sent;
    std::unique_ptr<Work> work;
  };

  Worker worker_;
  uint16_t stream_;
  Buffer sent_;  // whole layout, in a narrower precision; empty: what is averaged is sent itself
  std::vector<int> members_;
  std::vector<Flight> flights_;  // by bucket
};

}  // namespace starling

#endif  // OPTIM_EXACT_AVERAGE_H_
