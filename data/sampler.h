// The sampler: which examples worker r reads in step t. A pure function of (assignment, seed,
// worker, step), so a resumed run reads on where it stopped.
//
// Shared assignment: one global shuffle per epoch, equal on all workers. Global batch t of an
// epoch is the t-th slice of it, worker r takes slice r of that batch; what is left at the end of
// the shuffle and fills no global batch is dropped (other examples in every epoch).
// So a global batch holds the same examples for every number of workers.
// Otherwise worker r cycles through its own examples, reshuffled in every pass, whatever the
// lengths of the others.
//
// Going forward costs one shuffle per epoch or pass, O(examples of that pass); asking for any
// other step at most one shuffle more. Streams: (seed, kSampling, 0, epoch) when shared,
// (seed, kSampling, worker, pass) otherwise.
#ifndef DATA_SAMPLER_H_
#define DATA_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "data/partition.h"

namespace starling {

class Sampler {
 public:
  // `assignment` is not owned and is one of `examples` examples over `workers` workers.
  // local_batch_size > 0 examples per worker and step; with a shared assignment `examples` must
  // hold at least one global batch. CHECK-fails otherwise: configs are validated before.
  Sampler(const Assignment* assignment, int64_t examples, int worker, int workers,
          int64_t local_batch_size, uint64_t seed);

  // The ids that this worker reads in `step` >= 0, local_batch_size of them. Valid until the next
  // call.
  absl::Span<const int64_t> Next(int64_t step);

  // Steps per epoch: examples / global batch size, rounded down, but at least 1.
  int64_t steps_per_epoch() const { return steps_per_epoch_; }

 private:
  // Fills order_ with this epoch's (or pass's) order, unless it holds it already.
  void Shuffle(int64_t epoch);

  const Assignment* assignment_;
  int64_t examples_;
  int worker_, workers_;
  int64_t local_batch_size_;
  uint64_t seed_;
  int64_t steps_per_epoch_;
  int64_t epoch_ = -1;  // whose order order_ is
  std::vector<int64_t> order_;
  std::vector<int64_t> batch_;
};

}  // namespace starling

#endif  // DATA_SAMPLER_H_
