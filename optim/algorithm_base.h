// What most algorithms share: they keep one vector x per worker, whose plain mean is the average
// model, use the worker's optimizer, and have no state of their own. Derive from it and override
// what differs; Start and OnStepBegin of the base must run.
#ifndef OPTIM_ALGORITHM_BASE_H_
#define OPTIM_ALGORITHM_BASE_H_

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/state.h"
#include "core/status.h"
#include "optim/algorithm.h"

namespace starling {

class AlgorithmBase : public Algorithm {
 public:
  absl::Status Start(const Worker& worker, Buffer x, Buffer g) override {
    worker_ = worker;
    x_ = x;
    g_ = g;
    return worker.optimizer->Start(*worker.layout, x.type, x.place);
  }

  absl::Status OnStepBegin(const StepInfo&) override {
    worker_.optimizer->BeginStep();
    return absl::OkStatus();
  }

  absl::Status Quiesce() override { return absl::OkStatus(); }

  absl::Status Estimate(Buffer numerator, double* weight) override {
    ops::Copy(x_, numerator);
    *weight = 1;
    return absl::OkStatus();
  }

  absl::Status VisitState(StateVisitor*) override { return absl::OkStatus(); }

 protected:
  const Worker& worker() const { return worker_; }
  int buckets() const { return static_cast<int>(worker_.layout->buckets.size()); }
  Buffer x(int bucket) const { return Part(x_, bucket); }
  Buffer g(int bucket) const { return Part(g_, bucket); }

  // The elements of `bucket`, where `whole` is in parameter layout.
  Buffer Part(Buffer whole, int bucket) const {
    const Range& range = worker_.layout->buckets[bucket];
    return whole.Slice(range.offset, range.count);
  }

  // The optimizer's update of one bucket by its gradient, for the caller to complete.
  UpdateArgs UpdateOf(const StepInfo& info, int bucket) const {
    UpdateArgs update;
    update.offset = worker_.layout->buckets[bucket].offset;
    update.x = x(bucket);
    update.gradient = g(bucket);
    update.lr = info.lr;
    return update;
  }

 private:
  Worker worker_;
  Buffer x_, g_;
};

}  // namespace starling

#endif  // OPTIM_ALGORITHM_BASE_H_
