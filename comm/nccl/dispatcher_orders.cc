// The dispatcher's thread, which carries out orders.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "comm/nccl/dispatcher.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

constexpr auto kWatchPeriod = std::chrono::milliseconds(100);

}  // namespace

void Dispatcher::Loop() {
  absl::Status status;
  if (options_.carrier != nullptr) status = options_.carrier->UseThread();
  auto next_watch = std::chrono::steady_clock::now() + kWatchPeriod;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    if (aborted_) {
      lock.unlock();
      if (options_.carrier != nullptr) options_.carrier->Abort();
      lock.lock();
      carrier_aborted_ = true;
      changed_.notify_all();
      wake_.wait(lock, [this] { return stop_; });
      return;
    }
    if (status.ok() && !orders_.empty()) {
      const NcclOrder order = std::move(orders_.front());
      orders_.pop_front();
      lock.unlock();
      status = Obey(order);
      lock.lock();
      CallCompleted(&lock);
    }
    if (status.ok() && std::chrono::steady_clock::now() >= next_watch) {
      lock.unlock();
      status = Watch();
      lock.lock();
      next_watch = std::chrono::steady_clock::now() + kWatchPeriod;
    }
    if (!status.ok() && !aborted_) {
      lock.unlock();
      options_.failed(status);
      lock.lock();
    }
    const auto awake = [&] { return stop_ || aborted_ || (status.ok() && !orders_.empty()); };
    wake_.wait_until(lock, next_watch, awake);
  }
  lock.unlock();
  if (options_.carrier != nullptr) options_.carrier->Close();
}

absl::Status Dispatcher::Obey(const NcclOrder& order) {
  if (!order.mistake().empty()) return absl::InternalError(order.mistake());
  Carrier* const carrier = options_.carrier;
  if (!order.world().empty()) {
    RETURN_IF_ERROR(CHECK_NOTNULL(carrier)->Join(order.world()));
    std::lock_guard<std::mutex> lock(mutex_);
    joined_ = true;
  }
  for (const auto& make : order.make()) {
    RETURN_IF_ERROR(CHECK_NOTNULL(carrier)->Make(
        std::vector<int>(make.members().begin(), make.members().end())));
  }
  RETURN_IF_ERROR(Move(order));
  for (const auto& sum : order.sums()) RETURN_IF_ERROR(StartSum(sum));
  for (const auto& arrival : order.arrivals()) Arrive(arrival);
  std::lock_guard<std::mutex> lock(mutex_);
  for (int64_t number : order.taken()) {
    const CarriedPtr exchange = Find(number);
    if (exchange == nullptr) continue;
    if (exchange->Sent(static_cast<int>(number - exchange->first))) AllDone(exchange);
    Settle(number);
  }
  for (int64_t number : order.withdrawn()) Settle(number);
  return absl::OkStatus();
}

absl::Status Dispatcher::Move(const NcclOrder& order) {
  std::map<int, std::vector<NcclOrder::Move>> sends, receives;  // by communicator
  for (const auto& move : order.sends()) sends[move.communicator()].push_back(move);
  for (const auto& move : order.receives()) {
    receives[move.communicator()].push_back(move);
    sends[move.communicator()];
  }
  for (const auto& [communicator, moves] : sends) {
    RETURN_IF_ERROR(StartMoves(moves, receives[communicator]));
  }
  return absl::OkStatus();
}

absl::Status Dispatcher::StartMoves(const std::vector<NcclOrder::Move>& sends,
                                    const std::vector<NcclOrder::Move>& receives) {
  std::vector<Carrier::Piece> out, in;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (aborted_) return absl::OkStatus();  // exchanges, and with them buffers, may be gone
    for (const auto& move : sends) out.push_back(PieceOf(move, /*sends=*/true));
    for (const auto& move : receives) in.push_back(PieceOf(move, /*sends=*/false));
  }
  absl::Status status;
  std::vector<Carrier::PointPtr> ends;  // one for all, or one per message to oneself
  const int communicator = sends.empty() ? receives[0].communicator() : sends[0].communicator();
  if (communicator < 0) {
    for (size_t i = 0; i < out.size() && status.ok(); ++i) {
      auto end = options_.carrier->Copy(out[i], in[i]);
      status = end.status();
      if (end.ok()) ends.push_back(*std::move(end));
    }
  } else {
    auto end = options_.carrier->Move(communicator, out, in);
    status = end.status();
    if (end.ok()) ends.push_back(*std::move(end));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  const auto finish = [&](const NcclOrder::Move& move, size_t i, bool is_send) {
    const CarriedPtr exchange = Find(move.number());
    --exchange->busy;
    if (!status.ok()) return changed_.notify_all();
    const int index = static_cast<int>(move.number() - exchange->first);
    const int receive = index - static_cast<int>(exchange->sends.size());
    Started(exchange,
            is_send ? Wanted(exchange->sends[index]) : Wanted(exchange->receives[receive]),
            ends[std::min(i, ends.size() - 1)]);
    const bool last =
        is_send ? exchange->Sent(index)
                : exchange->Received(
                      receive,
                      {move.peer(), move.bytes() / SizeOf(exchange->receives[receive].into.type)});
    if (last) AllDone(exchange);
    Settle(move.number());
  };
  for (size_t i = 0; i < sends.size(); ++i) finish(sends[i], i, true);
  for (size_t i = 0; i < receives.size(); ++i) finish(receives[i], i, false);
  return status;
}

absl::Status Dispatcher::StartSum(const NcclOrder::Sum& sum) {
  Carrier::Piece values;
  CarriedPtr exchange;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    exchange = Find(sum.number());
    if (aborted_ || exchange == nullptr) return absl::OkStatus();
    ++exchange->busy;
    values = {options_.rank, exchange->values, exchange->after};
  }
  auto end = options_.carrier->Sum(sum.communicator(), values);
  std::lock_guard<std::mutex> lock(mutex_);
  --exchange->busy;
  changed_.notify_all();
  if (!end.ok()) return end.status();
  Started(exchange, Wants(*exchange), *end);
  exchange->open = 0;
  AllDone(exchange);
  Settle(sum.number());
  return absl::OkStatus();
}

void Dispatcher::Arrive(const NcclOrder::Arrival& arrival) {
  CarriedPtr exchange;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    exchange = Find(arrival.number());
    if (aborted_ || exchange == nullptr) return;
    ++exchange->busy;
  }
  const int index = static_cast<int>(arrival.number() - exchange->first) -
                    static_cast<int>(exchange->sends.size());
  const Buffer& into = exchange->receives[index].into;
  if (!arrival.payload().empty()) {
    std::memcpy(into.data, arrival.payload().data(), arrival.payload().size());
  }
  std::lock_guard<std::mutex> lock(mutex_);
  --exchange->busy;
  if (arrival.bytes() > into.bytes()) exchange->TooLong(index, arrival.from(), arrival.bytes());
  if (exchange->Received(index, {arrival.from(), arrival.bytes() / SizeOf(into.type)})) {
    AllDone(exchange);
  }
  Settle(arrival.number());
}

absl::Status Dispatcher::Watch() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto passed = [](const Moving& moving) { return moving.end->passed(); };
    moving_.erase(std::remove_if(moving_.begin(), moving_.end(), passed), moving_.end());
    for (const Moving& moving : moving_) {
      if (!moving.exchange->overdue()) continue;
      return TimedOut(*moving.exchange,
                      absl::StrCat(moving.what, ", which the cards have begun and not ended"));
    }
  }
  return options_.carrier == nullptr ? absl::OkStatus() : options_.carrier->Check();
}

Dispatcher::CarriedPtr Dispatcher::Find(int64_t number) {
  const auto found = unsettled_.find(number);
  return found == unsettled_.end() ? nullptr : found->second;
}

Carrier::Piece Dispatcher::PieceOf(const NcclOrder::Move& move, bool sends) {
  const CarriedPtr exchange = Find(move.number());
  CHECK(exchange != nullptr);
  ++exchange->busy;
  const int64_t index = move.number() - exchange->first;
  const Buffer whole =
      sends ? exchange->sends[index].data
            : exchange->receives[index - static_cast<int64_t>(exchange->sends.size())].into;
  return {move.peer(), Buffer{whole.data, move.bytes(), DType::kByte, whole.place},
          exchange->after};
}

void Dispatcher::Started(const CarriedPtr& exchange, const std::string& what,
                         const Carrier::PointPtr& end) {
  exchange->ends.push_back(end);
  moving_.push_back({exchange, what, end});
}

void Dispatcher::Settle(int64_t number) {
  const CarriedPtr exchange = Find(number);
  if (exchange == nullptr) return;
  --exchange->unsettled;
  unsettled_.erase(number);
  changed_.notify_all();
}

void Dispatcher::AllDone(const CarriedPtr& exchange) {
  if (!exchange->completed || exchange->posting || exchange->cancelled) return;
  ++exchange->busy;
  completed_.push_back(exchange);
}

void Dispatcher::CallCompleted(std::unique_lock<std::mutex>* lock) {
  while (!completed_.empty()) {
    const CarriedPtr exchange = std::move(completed_.back());
    completed_.pop_back();
    lock->unlock();  // `busy` keeps the exchange
    exchange->completed();
    lock->lock();
    --exchange->busy;
    changed_.notify_all();
  }
}

}  // namespace starling
