#include "comm/process_group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/status.h"

namespace starling {
namespace {

// The first byte of a message says what it is; then, for a status, comes a byte with its code.
constexpr char kAbort = 'a', kEnd = 'e', kResult = 'r', kUser = 'u', kBackend = 'b';

std::string Encode(char kind, const absl::Status& status) {
  return absl::StrCat(std::string{kind, static_cast<char>(status.code())}, status.message());
}

absl::Status Decode(const std::string& message) {
  if (message.size() < 2) return absl::InternalError("a message was cut short");
  return absl::Status(static_cast<absl::StatusCode>(message[1]), message.substr(2));
}

}  // namespace

ProcessGroup::ProcessGroup(std::unique_ptr<ControlChannel> channel)
    : channel_(std::move(channel)), ended_(channel_->processes()) {}

ProcessGroup::~ProcessGroup() { channel_->Close(); }

absl::Status ProcessGroup::Start(std::function<void(const absl::Status&)> aborted,
                                 absl::Duration patience) {
  aborted_ = std::move(aborted);
  return channel_->Start({[this](int from, std::string message) { OnMessage(from, message); },
                          [this](int process, std::string who) { OnLost(process, who); }},
                         patience);
}

void ProcessGroup::Abort(const absl::Status& reason) {
  OnAbort(reason);
  if (process() != 0) channel_->Send(0, Encode(kAbort, reason));
}

void ProcessGroup::OnAbort(const absl::Status& reason) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reason_ || result_) return;
    reason_ = reason;
    failed_ = absl::Now();
    changed_.notify_all();
  }
  {
    std::lock_guard<std::mutex> lock(failure_mutex_);
    if (failure_) failure_();
  }
  if (process() == 0) channel_->SendToAll(Encode(kAbort, reason));
  aborted_(reason);
}

bool ProcessGroup::aborted() {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_.has_value();
}

void ProcessGroup::WatchFailure(std::function<void()> failed) {
  std::lock_guard<std::mutex> lock(failure_mutex_);
  failure_ = std::move(failed);
  if (failure_ && aborted()) failure_();
}

bool ProcessGroup::lead_is_lost() {
  std::lock_guard<std::mutex> lock(mutex_);
  return lead_is_lost_;
}

absl::Status ProcessGroup::reason() {
  std::lock_guard<std::mutex> lock(mutex_);
  return reason_.value_or(absl::OkStatus());
}

void ProcessGroup::OnLost(int process, const std::string& who) {
  const absl::Status reason = absl::UnavailableError(
      absl::StrCat("worker ", process, " (", who, ") has died: it was killed or crashed"));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    lead_is_lost_ |= process == 0;
  }
  OnAbort(reason);
  OnEnd(process, reason);
}

void ProcessGroup::OnEnd(int process, const absl::Status& status) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!ended_[process] && !status.ok()) errors_.push_back(status);
  ended_[process] = true;
  changed_.notify_all();
}

void ProcessGroup::OnMessage(int from, const std::string& message) {
  const char kind = message.empty() ? '\0' : message[0];
  if (kind == kAbort) {
    OnAbort(Decode(message));
  } else if (kind == kEnd) {
    const absl::Status status = Decode(message);
    OnEnd(from, status);
    if (!status.ok()) OnAbort(status);
  } else if (kind == kResult) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!result_) result_ = Decode(message);
    changed_.notify_all();
  } else if (kind == kUser) {
    above_.Deliver(from, message.substr(1));
  } else if (kind == kBackend) {
    backend_.Deliver(from, message.substr(1));
  }
}

absl::Status ProcessGroup::Finish(const absl::Status& own) {
  if (!own.ok()) Abort(own);
  std::unique_lock<std::mutex> lock(mutex_);
  const auto wait_for = [&](const auto& done) {
    while (!done() && absl::Now() < failed_ + kGrace) {
      changed_.wait_for(lock, std::chrono::milliseconds(100), done);
    }
  };
  if (process() != 0) {
    lock.unlock();
    channel_->Send(0, Encode(kEnd, own));
    lock.lock();
    wait_for([&] { return result_.has_value() || ended_[0]; });  // a lead that is lost tells nobody
    if (!result_) result_ = !own.ok() && !absl::IsAborted(own) ? own : reason_;
    return *result_;
  }
  if (!own.ok()) errors_.push_back(own);
  ended_[0] = true;
  wait_for([&] { return std::count(ended_.begin(), ended_.end(), false) == 0; });
  absl::Status result;
  for (const absl::Status& error : errors_) {
    if (result.ok() || (absl::IsAborted(result) && !absl::IsAborted(error))) result = error;
  }
  const bool all = std::count(ended_.begin(), ended_.end(), false) == 0;
  if (result.ok() && !all) result = *reason_;
  result_ = result;
  lock.unlock();
  channel_->SendToAll(Encode(kResult, result));
  return result;
}

void ProcessGroup::Audience::Deliver(int from, std::string message) {
  std::lock_guard<std::mutex> lock(mutex);
  if (listener) {
    listener(from, message);
  } else {
    kept.emplace_back(from, std::move(message));
  }
}

void ProcessGroup::Audience::Listen(std::function<void(int, const std::string&)> now) {
  std::lock_guard<std::mutex> lock(mutex);
  listener = std::move(now);
  if (!listener) return;
  for (const auto& [from, message] : std::exchange(kept, {})) listener(from, message);
}

void ProcessGroup::Listen(std::function<void(int, const std::string&)> listener) {
  above_.Listen(std::move(listener));
}

void ProcessGroup::ListenAsBackend(std::function<void(int, const std::string&)> listener) {
  backend_.Listen(std::move(listener));
}

void ProcessGroup::TellAsBackend(int to, absl::string_view message) {
  channel_->Send(to, absl::StrCat(std::string(1, kBackend), message));
}

void ProcessGroup::Tell(int to, absl::string_view message) {
  channel_->Send(to, absl::StrCat(std::string(1, kUser), message));
}

void ProcessGroup::TellAll(absl::string_view message) {
  channel_->SendToAll(absl::StrCat(std::string(1, kUser), message));
}

}  // namespace starling
