#include "data/token_sampler.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/random/random.h"
#include "glog/logging.h"

namespace starling {
namespace {

// Sorts `examples` by length, those of equal length as they stood, in O(examples).
void SortByLength(absl::Span<const int32_t> costs, std::vector<int64_t>* examples) {
  int32_t longest = 0;
  for (int64_t example : *examples) longest = std::max(longest, costs[example]);
  std::vector<int64_t> place(longest + 2, 0);  // of the next example of each length
  for (int64_t example : *examples) ++place[costs[example] + 1];
  std::partial_sum(place.begin(), place.end(), place.begin());
  std::vector<int64_t> sorted(examples->size());
  for (int64_t example : *examples) sorted[place[costs[example]]++] = example;
  *examples = std::move(sorted);
}

// Where the batches of examples that are sorted by length end.
std::vector<int64_t> CutIntoBatches(absl::Span<const int64_t> examples,
                                    absl::Span<const int32_t> costs, int64_t most_tokens) {
  std::vector<int64_t> ends;
  int64_t begin = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(examples.size()); ++i) {
    const int64_t cost = costs[examples[i]];
    CHECK(cost > 0 && cost <= most_tokens)
        << "example " << examples[i] << " has " << cost << " tokens, a batch " << most_tokens;
    if ((i + 1 - begin) * cost <= most_tokens) continue;
    ends.push_back(i);
    begin = i;
  }
  if (!examples.empty()) ends.push_back(static_cast<int64_t>(examples.size()));
  return ends;
}

}  // namespace

TokenSampler::TokenSampler(const Assignment* assignment, absl::Span<const int32_t> costs,
                           int worker, int workers, int64_t local_batch_tokens, uint64_t seed)
    : shared_(assignment->shared), costs_(costs), worker_(worker), workers_(workers), seed_(seed) {
  CHECK(worker >= 0 && worker < workers) << "worker " << worker << " of " << workers;
  if (shared_) {
    by_length_.resize(costs.size());
    std::iota(by_length_.begin(), by_length_.end(), 0);
    SortByLength(costs, &by_length_);
    ends_ = CutIntoBatches(by_length_, costs, local_batch_tokens);
    steps_per_epoch_ = static_cast<int64_t>(ends_.size()) / workers;
    return;
  }
  CHECK_EQ(static_cast<int>(assignment->owned.size()), workers);
  int64_t batches = 0;
  for (int other = 0; other < workers; ++other) {
    std::vector<int64_t> owned = assignment->owned[other];
    CHECK(!owned.empty()) << "worker " << other << " owns no example";
    SortByLength(costs, &owned);
    std::vector<int64_t> ends = CutIntoBatches(owned, costs, local_batch_tokens);
    batches += static_cast<int64_t>(ends.size());
    if (other != worker) continue;
    by_length_ = std::move(owned);
    ends_ = std::move(ends);
  }
  steps_per_epoch_ = batches / workers;
}

void TokenSampler::Shuffle(int64_t epoch) {
  if (epoch == epoch_) return;
  // Always from the same start: the order must not depend on which epochs were asked for before.
  order_ = by_length_;
  batches_.resize(ends_.size());
  std::iota(batches_.begin(), batches_.end(), 0);
  Random random(StreamKey(seed_, Purpose::kSampling, shared_ ? 0 : worker_, epoch));
  for (size_t begin = 0; begin < order_.size();) {
    size_t end = begin + 1;
    while (end < order_.size() && costs_[order_[end]] == costs_[order_[begin]]) ++end;
    random.Shuffle(absl::MakeSpan(order_).subspan(begin, end - begin));
    begin = end;
  }
  random.Shuffle(absl::MakeSpan(batches_));
  epoch_ = epoch;
}

absl::Span<const int64_t> TokenSampler::Next(int64_t step) {
  CHECK_GE(step, 0);
  CHECK_GT(steps_per_epoch_, 0) << "fewer batches than workers";
  int64_t place;
  if (shared_) {
    Shuffle(step / steps_per_epoch_);
    place = step % steps_per_epoch_ * workers_ + worker_;
  } else {
    const auto own = static_cast<int64_t>(ends_.size());
    Shuffle(step / own);
    place = step % own;
  }
  const int64_t batch = batches_[place];
  const int64_t begin = batch == 0 ? 0 : ends_[batch - 1];
  return absl::MakeConstSpan(order_).subspan(begin, ends_[batch] - begin);
}

}  // namespace starling
