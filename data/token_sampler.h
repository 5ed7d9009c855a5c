// Batches of at most so many tokens, padding counted: the longest example times the number of
// examples. A batch holds examples of similar length, so that little of it is padding, and as many
// as fit (Vaswani et al., "Attention is all you need", 2017, section 5.1).
//
// The examples, in order of length, are cut into batches, each closed when one more would not fit.
// In every epoch examples of equal length change places, then the batches are shuffled. The lengths
// at which is cut stay the same, so every epoch has as many batches, and every worker as many
// steps.
//
// Shared assignment: step t of an epoch takes the next `workers` batches, worker r the r-th of
// them; batches that are left at the end are dropped (others in every epoch). Otherwise worker r
// cycles through the batches of its own examples, and an epoch is as many steps as all workers'
// batches make.
//
// Going forward costs O(examples) per epoch or pass. Streams: as ExampleSampler's.
#ifndef DATA_TOKEN_SAMPLER_H_
#define DATA_TOKEN_SAMPLER_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "data/partition.h"
#include "data/sampler.h"

namespace starling {

class TokenSampler final : public Sampler {
 public:
  // costs[i]: tokens of example i, 1 to local_batch_tokens. Neither `assignment`, over `workers`
  // workers, nor `costs` is owned. CHECK-fails otherwise: configs are validated before.
  TokenSampler(const Assignment* assignment, absl::Span<const int32_t> costs, int worker,
               int workers, int64_t local_batch_tokens, uint64_t seed);

  // At least one id, in order of length. steps_per_epoch() must not be 0.
  absl::Span<const int64_t> Next(int64_t step) override;

  // Batches of all workers / workers, rounded down; 0 if a shared epoch has fewer than `workers`.
  int64_t steps_per_epoch() const override { return steps_per_epoch_; }

 private:
  void Shuffle(int64_t epoch);

  const bool shared_;
  const absl::Span<const int32_t> costs_;
  const int worker_, workers_;
  const uint64_t seed_;
  int64_t steps_per_epoch_;
  std::vector<int64_t> by_length_;  // examples; those of equal length in order of their ids
  std::vector<int64_t> ends_;       // of the batches in by_length_
  int64_t epoch_ = -1;              // whose order the following have
  std::vector<int64_t> order_;      // as by_length_, but for examples of equal length
  std::vector<int64_t> batches_;    // their shuffled numbers
};

}  // namespace starling

#endif  // DATA_TOKEN_SAMPLER_H_
