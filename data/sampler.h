// Samplers: which examples worker r reads in step t. Pure functions of (assignment, seed, worker,
// step), so a resumed run reads on where it stopped. ExampleSampler deals out batches of so many
// examples, TokenSampler (token_sampler.h) batches of so many tokens.
#ifndef DATA_SAMPLER_H_
#define DATA_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "data/partition.h"

namespace starling {

class Sampler {
 public:
  virtual ~Sampler() = default;

  // The ids that this worker reads in `step` >= 0. Valid until the next call.
  virtual absl::Span<const int64_t> Next(int64_t step) = 0;

  virtual int64_t steps_per_epoch() const = 0;
};

// Batches of equally many examples.
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
class ExampleSampler final : public Sampler {
 public:
  // `assignment` is not owned and is one of `examples` examples over `workers` workers.
  // local_batch_size > 0 examples per worker and step; with a shared assignment `examples` must
  // hold at least one global batch. CHECK-fails otherwise: configs are validated before.
  ExampleSampler(const Assignment* assignment, int64_t examples, int worker, int workers,
                 int64_t local_batch_size, uint64_t seed);

  // local_batch_size ids.
  absl::Span<const int64_t> Next(int64_t step) override;

  // Examples / global batch size, rounded down, but at least 1.
  int64_t steps_per_epoch() const override { return steps_per_epoch_; }

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
