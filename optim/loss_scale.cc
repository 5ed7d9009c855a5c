#include "optim/loss_scale.h"

#include <algorithm>

#include "core/device/arena.h"
#include "core/ops/ops.h"
#include "core/status.h"

namespace starling {
namespace {

constexpr uint16_t kStream = 0xfffc;

}  // namespace

absl::StatusOr<std::unique_ptr<LossScale>> LossScale::Create(Communicator* comm, DType type,
                                                             absl::Duration deadline) {
  std::unique_ptr<LossScale> scale(new LossScale(comm, deadline));
  ASSIGN_OR_RETURN(scale->bad_, MakeArena(1, type, comm->place()));
  ASSIGN_OR_RETURN(scale->count_, MakeArena(1, type, comm->place()));
  return scale;
}

void LossScale::Unscale(Buffer gradient) {
  ops::ScaleOrZero(1 / value(), gradient, bad_.buffer());
  ops::Add(bad_.buffer(), count_.buffer());
}

absl::Status LossScale::EndStep(int64_t step, absl::Span<const int> group) {
  if (step % kWindow == 0 && state_[kSumIsPending] != 0) return StartSum(step, group);
  if ((step + 1) % kWindow != 0) return absl::OkStatus();
  RETURN_IF_ERROR(Quiesce());
  if (state_[kSumIsPending] != 0) Adjust();
  state_[kSumIsPending] = 1;
  RETURN_IF_ERROR(own_.Take(count_.buffer()));
  own_is_taken_ = true;
  ops::Zero(count_.buffer());
  return absl::OkStatus();
}

absl::Status LossScale::StartSum(int64_t step, absl::Span<const int> group) {
  RETURN_IF_ERROR(Quiesce());
  ExchangeOptions options;
  // Not training traffic, which is that of the steps and as predicted.
  options.traffic = Traffic::kMeasurement;
  options.deadline = deadline_;
  const Buffer sum = AsBuffer(absl::MakeSpan(&state_[kSum], 1));
  ASSIGN_OR_RETURN(sum_, comm_->AllReduceSum(group, {kStream, step / kWindow, 0, 0}, sum, options));
  return absl::OkStatus();
}

void LossScale::Adjust() {
  if (state_[kSum] > 0) {
    state_[kScale] = std::max(state_[kScale] / 2, kSmallest);
    state_[kCleanSteps] = 0;
    return;
  }
  state_[kCleanSteps] += kWindow;
  if (state_[kCleanSteps] < kGrowthSteps) return;
  state_[kScale] = std::min(state_[kScale] * 2, kLargest);
  state_[kCleanSteps] = 0;
}

absl::Status LossScale::Quiesce() {
  if (own_is_taken_) {
    own_is_taken_ = false;
    ASSIGN_OR_RETURN(state_[kSum], own_.Read());
  }
  if (sum_ == nullptr) return absl::OkStatus();
  const absl::Status status = sum_->Wait();
  sum_ = nullptr;
  return status;
}

absl::Status LossScale::VisitState(StateVisitor* visitor) {
  RETURN_IF_ERROR(Quiesce());
  RETURN_IF_ERROR(visitor->Visit("agreed", AsBuffer(absl::MakeSpan(state_))));
  return visitor->Visit("not_finite", count_.buffer());
}

}  // namespace starling
