#include "comm/threads/mailbox.h"

#include <chrono>
#include <cstring>

#include "glog/logging.h"

namespace starling {

void ComputeSlots::Acquire() {
  std::unique_lock<std::mutex> lock(mutex_);
  available_.wait(lock, [this] { return free_ > 0; });
  --free_;
}

void ComputeSlots::Release() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++free_;
  }
  available_.notify_one();
}

void Mailbox::Post(const std::shared_ptr<Exchanging>& exchange) {
  std::vector<Match> matches;
  std::unique_lock<std::mutex> lock(mutex_);
  for (size_t i = 0; i < exchange->receives.size(); ++i) {
    PostReceive(exchange, static_cast<int>(i), &matches);
  }
  for (size_t i = 0; i < exchange->sends.size(); ++i) {
    PostSend(exchange, static_cast<int>(i), &matches);
  }
  for (const Match& match : matches) Copy(match, &lock);
  exchange->posting = false;
}

void Mailbox::PostSend(const std::shared_ptr<Exchanging>& exchange, int index,
                       std::vector<Match>* matches) {
  const Send& send = exchange->sends[index];
  Waiting& waiting = boxes_[send.to][send.key];
  for (auto it = waiting.receives.begin(); it != waiting.receives.end(); ++it) {
    const int from = it->exchange->receives[it->index].from;
    if (from != exchange->rank && from != kAnyone) continue;
    matches->push_back({exchange, it->exchange, index, it->index});
    ++exchange->busy;
    ++it->exchange->busy;
    waiting.receives.erase(it);
    if (waiting.receives.empty() && waiting.sends.empty()) boxes_[send.to].erase(send.key);
    return;
  }
  for (const Waiter& other : waiting.sends) {
    CHECK_NE(other.exchange->rank, exchange->rank)
        << "worker " << exchange->rank << " sends " << ToString(send.key) << " to worker "
        << send.to << " twice";
  }
  waiting.sends.push_back({exchange, index});
}

void Mailbox::PostReceive(const std::shared_ptr<Exchanging>& exchange, int index,
                          std::vector<Match>* matches) {
  const Receive& receive = exchange->receives[index];
  Box& box = boxes_[exchange->rank];
  Waiting& waiting = box[receive.key];
  for (auto it = waiting.sends.begin(); it != waiting.sends.end(); ++it) {
    if (receive.from != it->exchange->rank && receive.from != kAnyone) continue;
    matches->push_back({it->exchange, exchange, it->index, index});
    ++exchange->busy;
    ++it->exchange->busy;
    waiting.sends.erase(it);
    if (waiting.receives.empty() && waiting.sends.empty()) box.erase(receive.key);
    return;
  }
  waiting.receives.push_back({exchange, index});
}

void Mailbox::Copy(const Match& match, std::unique_lock<std::mutex>* lock) {
  const Send& send = match.sender->sends[match.send];
  const Receive& receive = match.receiver->receives[match.receive];
  const bool fits = send.data.bytes() <= receive.into.bytes();
  if (fits && send.data.count > 0) {
    lock->unlock();  // `busy` keeps both buffers alive
    std::shared_ptr<const QueuePoint> copied;
    if (receive.into.place == Place::kDevice) {
      copied = CopyOnDevice(match);
    } else {
      std::memcpy(receive.into.data, send.data.data, send.data.bytes());
    }
    lock->lock();
    if (copied != nullptr) {
      match.sender->copied.push_back(copied);
      match.receiver->copied.push_back(copied);
    }
  }
  if (!fits) match.receiver->TooLong(match.receive, match.sender->rank, send.data.bytes());
  Finish(match.sender.get(), match.sender->Sent(match.send), lock);
  Finish(match.receiver.get(),
         match.receiver->Received(match.receive, {match.sender->rank, send.data.count}), lock);
}

std::shared_ptr<const QueuePoint> Mailbox::CopyOnDevice(const Match& match) {
  const Send& send = match.sender->sends[match.send];
  const Receive& receive = match.receiver->receives[match.receive];
  CHECK(send.data.place == Place::kDevice) << ToString(send.key) << " is sent by the host";
  // Only what was queued before now holds anybody back, so nobody can wait for himself.
  Queue* const queue = match.receiver->queue;
  match.sender->ready.HoldBack(queue);
  match.receiver->ready.HoldBack(queue);
  LinkedDevice()->Copy(send.data.data, receive.into.data, send.data.bytes(), queue);
  return std::make_shared<const QueuePoint>(QueuePoint::After(queue));
}

void Mailbox::Finish(Exchanging* side, bool last, std::unique_lock<std::mutex>* lock) {
  if (last) {
    wakeups_[side->rank].notify_all();
    if (side->completed && !side->posting && !side->cancelled) {
      lock->unlock();  // `busy` keeps the exchange
      side->completed();
      lock->lock();
    }
  }
  if (--side->busy == 0 && side->cancelled) wakeups_[side->rank].notify_all();
}

bool Mailbox::Done(const Exchanging& exchange) {
  std::lock_guard<std::mutex> lock(mutex_);
  return exchange.open == 0 || aborted_.has_value();
}

absl::Status Mailbox::Wait(const Exchanging& exchange, ComputeSlots* slots) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto ready = [&] { return exchange.open == 0 || aborted_.has_value(); };
  if (!ready()) {
    lock.unlock();
    slots->Release();
    lock.lock();
    std::condition_variable& wakeup = wakeups_[exchange.rank];
    if (exchange.deadline == std::chrono::steady_clock::time_point::max()) {
      wakeup.wait(lock, ready);
    } else {
      wakeup.wait_until(lock, exchange.deadline, ready);
    }
    lock.unlock();
    slots->Acquire();
    lock.lock();
  }
  if (exchange.open == 0) {
    for (const auto& copied : exchange.copied) copied->HoldBack(CurrentQueue());
    return exchange.Result();
  }
  if (aborted_.has_value()) return absl::AbortedError(*aborted_);
  return exchange.TimedOut();
}

std::string Mailbox::Missing(const Exchanging& exchange) {
  std::lock_guard<std::mutex> lock(mutex_);
  return exchange.Missing();
}

void Mailbox::RemoveFrom(Box* box, const MessageKey& key, const Exchanging* exchange) {
  const auto found = box->find(key);
  if (found == box->end()) return;
  const auto mine = [exchange](const Waiter& post) { return post.exchange.get() == exchange; };
  found->second.sends.remove_if(mine);
  found->second.receives.remove_if(mine);
  if (found->second.sends.empty() && found->second.receives.empty()) box->erase(found);
}

void Mailbox::Cancel(const std::shared_ptr<Exchanging>& exchange) {
  std::unique_lock<std::mutex> lock(mutex_);
  exchange->cancelled = true;
  if (exchange->open > 0) {
    for (const Receive& receive : exchange->receives) {
      RemoveFrom(&boxes_[exchange->rank], receive.key, exchange.get());
    }
    for (const Send& send : exchange->sends) {
      RemoveFrom(&boxes_[send.to], send.key, exchange.get());
    }
  }
  wakeups_[exchange->rank].wait(lock, [&] { return exchange->busy == 0; });
}

void Mailbox::Abort(const absl::Status& reason) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (aborted_.has_value()) return;
  aborted_ = std::string(reason.message());
  for (std::condition_variable& wakeup : wakeups_) wakeup.notify_all();
}

}  // namespace starling
