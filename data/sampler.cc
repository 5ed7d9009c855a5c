#include "data/sampler.h"

#include <algorithm>
#include <numeric>

#include "core/random/random.h"
#include "glog/logging.h"

namespace starling {

ExampleSampler::ExampleSampler(const Assignment* assignment, int64_t examples, int worker,
                               int workers, int64_t local_batch_size, uint64_t seed)
    : assignment_(assignment),
      examples_(examples),
      worker_(worker),
      workers_(workers),
      local_batch_size_(local_batch_size),
      seed_(seed) {
  CHECK(worker >= 0 && worker < workers) << "worker " << worker << " of " << workers;
  CHECK_GT(local_batch_size, 0);
  const int64_t global_batch_size = local_batch_size * workers;
  if (assignment->shared) {
    CHECK_GE(examples, global_batch_size) << "examples do not fill one global batch";
  } else {
    CHECK_EQ(static_cast<int>(assignment->owned.size()), workers);
    CHECK(!assignment->owned[worker].empty()) << "worker " << worker << " owns no example";
    batch_.resize(local_batch_size);
  }
  steps_per_epoch_ = std::max<int64_t>(1, examples / global_batch_size);
}

void ExampleSampler::Shuffle(int64_t epoch) {
  if (epoch == epoch_) return;
  // Always from the same start: the order must not depend on which epochs were asked for before.
  if (assignment_->shared) {
    order_.resize(examples_);
    std::iota(order_.begin(), order_.end(), 0);
  } else {
    order_ = assignment_->owned[worker_];
  }
  const int stream_worker = assignment_->shared ? 0 : worker_;
  Random random(StreamKey(seed_, Purpose::kSampling, stream_worker, epoch));
  random.Shuffle(absl::MakeSpan(order_));
  epoch_ = epoch;
}

absl::Span<const int64_t> ExampleSampler::Next(int64_t step) {
  CHECK_GE(step, 0);
  if (assignment_->shared) {
    Shuffle(step / steps_per_epoch_);
    const int64_t global_batch = step % steps_per_epoch_;
    const int64_t first = (global_batch * workers_ + worker_) * local_batch_size_;
    return absl::MakeConstSpan(order_).subspan(first, local_batch_size_);
  }
  const int64_t own = static_cast<int64_t>(assignment_->owned[worker_].size());
  int64_t position = step * local_batch_size_;
  for (int64_t& example : batch_) {
    Shuffle(position / own);
    example = order_[position % own];
    ++position;
  }
  return batch_;
}

}  // namespace starling
