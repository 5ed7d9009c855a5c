#include "experiments/stop_agreement.h"

#include <algorithm>

namespace starling {

int64_t StopAgreement::LastEntered() const {
  return *std::max_element(entered_.begin(), entered_.end());
}

bool StopAgreement::Enter(int worker, int64_t step) {
  std::unique_lock<std::mutex> lock(mutex_);
  settled_.wait(lock, [this] { return !held_; });
  if (step >= stop_step_ || (end_ && step >= end_->step)) return false;
  entered_[worker] = step;
  return true;
}

void StopAgreement::Request(StopReason reason) {
  RunMessage message;
  if (group_ != nullptr && group_->process() != 0) {
    message.mutable_stop_request();
    group_->Tell(0, message.SerializeAsString());
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (requested_) return;
    requested_ = reason;
    largest_ = LastEntered();
    unanswered_ = group_ == nullptr ? 0 : group_->processes() - 1;
    held_ = true;
  }
  if (group_ != nullptr) {
    message.mutable_hold();
    group_->TellAll(message.SerializeAsString());
  }
  SettleIfAllAnswered();
}

void StopAgreement::SettleIfAllAnswered() {
  RunMessage message;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (unanswered_ > 0 || reason_) return;
    message.mutable_stop_at()->set_step(largest_ + 1);
    message.mutable_stop_at()->set_reason(static_cast<int>(*requested_));
    Settle(largest_ + 1, *requested_);
  }
  if (group_ != nullptr) group_->TellAll(message.SerializeAsString());
}

void StopAgreement::Settle(int64_t stop_step, StopReason reason) {
  stop_step_ = stop_step;
  reason_ = reason;
  held_ = false;
  settled_.notify_all();
}

std::optional<StopReason> StopAgreement::reason() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_ || !end_ ? reason_ : end_->reason;
}

void StopAgreement::OnMessage(int, const RunMessage& message) {
  switch (message.kind_case()) {
    case RunMessage::kStopRequest:
      return Request(StopReason::kRequested);
    case RunMessage::kHold: {
      RunMessage answer;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        held_ = true;
        answer.set_held_at(LastEntered());
      }
      return group_->Tell(0, answer.SerializeAsString());
    }
    case RunMessage::kHeldAt: {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        largest_ = std::max(largest_, message.held_at());
        --unanswered_;
      }
      return SettleIfAllAnswered();
    }
    case RunMessage::kStopAt: {
      std::lock_guard<std::mutex> lock(mutex_);
      return Settle(message.stop_at().step(), static_cast<StopReason>(message.stop_at().reason()));
    }
    default:
      return;
  }
}

void StopAgreement::Release() {
  std::lock_guard<std::mutex> lock(mutex_);
  held_ = false;
  settled_.notify_all();
}

}  // namespace starling
