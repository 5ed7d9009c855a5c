#include "optim/exact_average.h"

#include <numeric>

#include "absl/memory/memory.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {

ExactAverage::ExactAverage(const Worker& worker, uint16_t stream)
    : worker_(worker),
      stream_(stream),
      members_(worker.count),
      flights_(worker.layout->buckets.size()) {
  std::iota(members_.begin(), members_.end(), 0);
}

absl::StatusOr<std::unique_ptr<ExactAverage>> ExactAverage::Create(const Worker& worker,
                                                                   uint16_t stream, DType type) {
  auto average = absl::WrapUnique(new ExactAverage(worker, stream));
  const DType precision = worker.mixing.precision.value_or(type);
  if (precision != type) {
    ASSIGN_OR_RETURN(average->sent_, worker.comm->Allocate(worker.layout->size, precision));
  }
  return average;
}

absl::Status ExactAverage::Begin(int64_t round, int bucket, Buffer values) {
  if (members_.size() == 1) return absl::OkStatus();
  Flight& flight = flights_[bucket];
  flight.values = flight.sent = values;
  if (sent_.count > 0) {
    const Range& range = worker_.layout->buckets[bucket];
    flight.sent = sent_.Slice(range.offset, range.count);
    ops::Convert(values, flight.sent);
  }
  ExchangeOptions options;
  options.deadline = worker_.mixing.deadline;
  const MessageKey key{stream_, round, bucket, 0};
  ASSIGN_OR_RETURN(flight.work, worker_.comm->AllReduceSum(members_, key, flight.sent, options));
  return worker_.mixing.overlap ? absl::OkStatus() : flight.work->Wait();
}

absl::Status ExactAverage::End(int bucket) {
  if (members_.size() == 1) return absl::OkStatus();
  Flight& flight = flights_[bucket];
  RETURN_IF_ERROR(flight.work->Wait());
  flight.work.reset();
  ops::WeightedSum({{1.0 / static_cast<double>(members_.size()), flight.sent}}, flight.values);
  return absl::OkStatus();
}

}  // namespace starling
