// The loss scale of training in F16, which holds nothing below 6e-8: losses, and with them all
// gradients, are multiplied by a power of two that lifts small gradients over that, as large as it
// may be without the large ones becoming infinite (Micikevicius et al., "Mixed precision training",
// ICLR 2018, section 3.2). Dividing by it again, in F32, is exact.
//
// All workers use the same scale, or their gradients would be of different steps of the same rule.
// It therefore depends only on what all know: every kWindow steps they sum, in the background, how
// many of their buckets were not finite, and use that sum at the end of the next kWindow, when it
// has long arrived. If it is not zero the scale halves; after kGrowthSteps steps without any it
// doubles. A bucket that is not finite becomes zeros before anybody sees it, and nobody waits to be
// told.
//
// The window is short because a scale that is too large costs gradients until it has been halved,
// and as long as it takes for the sum to be free: a message of 8 bytes every fourth step, with
// three steps' time to arrive.
#ifndef OPTIM_LOSS_SCALE_H_
#define OPTIM_LOSS_SCALE_H_

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/device/deferred_number.h"
#include "core/state.h"

namespace starling {

class LossScale {
 public:
  static constexpr int64_t kWindow = 4;
  static constexpr int64_t kGrowthSteps = 2000;
  static constexpr double kInitial = 65536;
  // Below 1 F16 would gain nothing; above 2^24 losses themselves come near what F32 holds.
  static constexpr double kSmallest = 1, kLargest = 1 << 24;

  // For gradients of `type` that lie where `comm` has its vectors. `comm` is not owned; `deadline`
  // is of each sum.
  static absl::StatusOr<std::unique_ptr<LossScale>> Create(Communicator* comm, DType type,
                                                           absl::Duration deadline);

  // What the losses of the step under way are multiplied by.
  double value() const { return state_[kScale]; }

  // Divides the gradient of one bucket by the scale; or counts it and makes it zeros. On a device
  // the host does not wait.
  void Unscale(Buffer gradient);

  // After the last bucket of `step`, at every step from 0 on; `group`: who computes it, sorted. On
  // a device the host waits for a number of the step before at most.
  absl::Status EndStep(int64_t step, absl::Span<const int> group);

  // Waits for what is under way: for workers that leave. Changes nothing.
  absl::Status Quiesce();

  // Shows everything, after Quiesce.
  absl::Status VisitState(StateVisitor* visitor);

 private:
  // kSum is of the window that has ended, if kSumIsPending; between its last step and the next one,
  // in which it is summed, this worker's own number. All others all workers have alike.
  enum { kScale, kCleanSteps, kSumIsPending, kSum, kNumbers };

  LossScale(Communicator* comm, absl::Duration deadline) : comm_(comm), deadline_(deadline) {}
  absl::Status StartSum(int64_t step, absl::Span<const int> group);
  void Adjust();

  Communicator* const comm_;
  const absl::Duration deadline_;
  std::array<double, kNumbers> state_{kInitial, 0, 0, 0};
  Arena bad_, count_;  // the last bucket's flag; how many were not finite in this window
  bool own_is_taken_ = false;
  DeferredNumber own_;  // what kSum becomes, if taken
  std::unique_ptr<Work> sum_;
};

}  // namespace starling

#endif  // OPTIM_LOSS_SCALE_H_
