#include "comm/nccl/dispatcher.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

constexpr int64_t kMostHostBytes = 60 << 20;  // of an exchange: the control channel takes 64 MiB

void SetKey(const MessageKey& key, NcclEnd* end) {
  end->set_stream(key.stream);
  end->set_round(key.round);
  end->set_bucket(key.bucket);
  end->set_part(key.part);
}

NcclEnd EndOf(int64_t number, int peer, const MessageKey& key, const Buffer& data) {
  NcclEnd end;
  end.set_number(number);
  end.set_peer(peer);
  SetKey(key, &end);
  end.set_bytes(data.bytes());
  end.set_on_card(data.place == Place::kDevice && data.count > 0);
  return end;
}

NcclSum SumOf(int64_t number, const std::vector<int>& group, const MessageKey& key,
              const Buffer& values) {
  NcclSum sum;
  sum.set_number(number);
  for (int member : group) sum.add_group(member);
  sum.set_stream(key.stream);
  sum.set_round(key.round);
  sum.set_bucket(key.bucket);
  sum.set_count(values.count);
  sum.set_type(static_cast<int32_t>(values.type));
  return sum;
}

void Nap() {
  const timespec nap{0, 50'000};
  nanosleep(&nap, nullptr);
}

}  // namespace

class Dispatcher::CarriedWork final : public Work {
 public:
  CarriedWork(Dispatcher* dispatcher, CarriedPtr exchange)
      : dispatcher_(dispatcher), exchange_(std::move(exchange)) {}
  ~CarriedWork() override { dispatcher_->Cancel(exchange_); }

  bool Done() override { return dispatcher_->Done(*exchange_); }
  absl::Status Wait() override { return dispatcher_->Wait(exchange_.get()); }
  absl::Span<const Arrival> arrivals() const override { return exchange_->arrivals; }
  std::string Missing() const override { return dispatcher_->Missing(*exchange_); }

 private:
  Dispatcher* dispatcher_;
  CarriedPtr exchange_;
};

Dispatcher::Dispatcher(Options options) : options_(std::move(options)) {
  thread_ = std::thread([this] { Loop(); });
}

Dispatcher::~Dispatcher() { End(); }

void Dispatcher::End() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Dispatcher::OnOrder(NcclOrder order) {
  std::lock_guard<std::mutex> lock(mutex_);
  orders_.push_back(std::move(order));
  wake_.notify_all();
}

absl::StatusOr<std::unique_ptr<Work>> Dispatcher::Exchange(absl::Span<const Send> sends,
                                                           absl::Span<const Receive> receives,
                                                           const ExchangeOptions& options) {
  auto exchange = std::make_shared<Carried>(options_.rank, sends, receives, options);
  NcclPost post;
  int64_t host_bytes = 0;
  bool on_card = false;
  int64_t number = 0;  // from the exchange's first
  std::vector<int> eager;
  for (const Send& send : sends) {
    NcclEnd end = EndOf(number, send.to, send.key, send.data);
    on_card |= end.on_card();
    if (!end.on_card()) {
      eager.push_back(static_cast<int>(number));
      end.set_payload(send.data.data, static_cast<size_t>(send.data.bytes()));
      host_bytes += send.data.bytes();
    }
    *post.add_sends() = std::move(end);
    ++number;
  }
  for (const Receive& receive : receives) {
    *post.add_receives() = EndOf(number++, receive.from, receive.key, receive.into);
    on_card |= post.receives(post.receives_size() - 1).on_card();
  }
  if (host_bytes > kMostHostBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("backend \"nccl\": an exchange of ", host_bytes >> 20,
                     " MiB in the host's memory; it takes 60 MiB, cards exchange any number"));
  }
  if (on_card) {
    CHECK(options_.carrier != nullptr) << "there is no card";
    exchange->after = options_.carrier->Here();
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    exchange->first = next_number_;
    next_number_ += number;
    exchange->unsettled = static_cast<int>(number) - static_cast<int>(eager.size());
    for (NcclEnd& end : *post.mutable_sends()) end.set_number(exchange->first + end.number());
    for (NcclEnd& end : *post.mutable_receives()) end.set_number(exchange->first + end.number());
    // They have left their buffers.
    for (int index : eager) exchange->Sent(index);
    for (const NcclEnd& end : post.sends()) {
      if (end.on_card()) unsettled_.emplace(end.number(), exchange);
    }
    for (const NcclEnd& end : post.receives()) unsettled_.emplace(end.number(), exchange);
  }
  Post(exchange, post);
  return std::make_unique<CarriedWork>(this, std::move(exchange));
}

std::unique_ptr<Work> Dispatcher::Sum(absl::Span<const int> group, MessageKey key, Buffer values,
                                      const ExchangeOptions& options) {
  auto exchange = std::make_shared<Carried>(options_.rank, absl::Span<const Send>(),
                                            absl::Span<const Receive>(), options);
  exchange->group.assign(group.begin(), group.end());
  exchange->key = key;
  exchange->values = values;
  exchange->after = options_.carrier->Here();
  exchange->open = exchange->unsettled = 1;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    exchange->first = next_number_++;
    unsettled_.emplace(exchange->first, exchange);
  }
  NcclPost post;
  *post.mutable_sum() = SumOf(exchange->first, exchange->group, key, values);
  Post(exchange, post);
  return std::make_unique<CarriedWork>(this, std::move(exchange));
}

void Dispatcher::Post(const CarriedPtr& exchange, const NcclPost& post) {
  options_.post(post);
  std::lock_guard<std::mutex> lock(mutex_);
  exchange->posting = false;
}

bool Dispatcher::Done(const Carried& exchange) {
  std::lock_guard<std::mutex> lock(mutex_);
  return exchange.open == 0 || aborted_.has_value();
}

std::string Dispatcher::Wants(const Carried& exchange) {
  if (exchange.group.empty()) return exchange.Exchanging::Missing();
  return absl::StrCat("the sum ", ToString(exchange.key), " of workers ",
                      absl::StrJoin(exchange.group, ", "));
}

std::string Dispatcher::Missing(const Carried& exchange) {
  std::lock_guard<std::mutex> lock(mutex_);
  return Wants(exchange);
}

absl::Status Dispatcher::TimedOut(const Carried& exchange, const std::string& what) {
  return absl::DeadlineExceededError(absl::StrCat("worker ", exchange.rank, " waited ",
                                                  absl::FormatDuration(exchange.patience), " for ",
                                                  what));
}

absl::Status Dispatcher::Wait(Carried* exchange) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto ready = [&] { return exchange->open == 0 || aborted_.has_value(); };
  if (exchange->deadline == std::chrono::steady_clock::time_point::max()) {
    changed_.wait(lock, ready);
  } else {
    changed_.wait_until(lock, exchange->deadline, ready);
  }
  if (exchange->open == 0) {
    exchange->waited = true;
    const std::vector<Carrier::PointPtr> ends = exchange->ends;
    lock.unlock();
    for (const Carrier::PointPtr& end : ends) options_.carrier->HoldBack(end.get());
    return exchange->Result();
  }
  if (aborted_) return absl::AbortedError(*aborted_);
  return TimedOut(*exchange, Wants(*exchange));
}

NcclPost Dispatcher::Withdrawal(const Carried& exchange) {
  NcclPost post;
  post.set_withdraws(true);
  if (!exchange.group.empty()) {
    *post.mutable_sum() = SumOf(exchange.first, exchange.group, exchange.key, exchange.values);
    return post;
  }
  int64_t number = exchange.first;
  for (const Send& send : exchange.sends) {
    if (unsettled_.count(number) > 0) {
      *post.add_sends() = EndOf(number, send.to, send.key, send.data);
    }
    ++number;
  }
  for (const Receive& receive : exchange.receives) {
    if (unsettled_.count(number) > 0) {
      *post.add_receives() = EndOf(number, receive.from, receive.key, receive.into);
    }
    ++number;
  }
  return post;
}

void Dispatcher::Cancel(const CarriedPtr& exchange) {
  std::unique_lock<std::mutex> lock(mutex_);
  exchange->cancelled = true;
  if (exchange->unsettled > 0 && !aborted_) {
    const NcclPost post = Withdrawal(*exchange);
    lock.unlock();
    options_.post(post);
    lock.lock();
    // What has been matched is ordered before the answer comes.
    changed_.wait(lock, [&] { return exchange->unsettled == 0 || aborted_.has_value(); });
  }
  changed_.wait(lock, [&] { return exchange->busy == 0; });
  for (int64_t number = exchange->first; exchange->unsettled > 0; ++number) {
    exchange->unsettled -= static_cast<int>(unsettled_.erase(number));
  }
  if (exchange->waited) return;
  // Nobody's queue knows when the card has done with the buffers.
  const auto passed = [](const Carrier::PointPtr& end) { return end->passed(); };
  while (!aborted_ && !std::all_of(exchange->ends.begin(), exchange->ends.end(), passed)) {
    lock.unlock();
    Nap();
    lock.lock();
  }
}

void Dispatcher::Drain() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto passed = [](const Moving& moving) { return moving.end->passed(); };
  const auto drained = [&] {
    return (options_.carrier == nullptr || joined_) &&
           std::all_of(moving_.begin(), moving_.end(), passed);
  };
  while (!aborted_ && !drained()) {
    lock.unlock();
    Nap();
    lock.lock();
  }
}

void Dispatcher::Abort(const absl::Status& reason) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (aborted_) return;
    aborted_ = std::string(reason.message());
    changed_.notify_all();
    wake_.notify_all();
  }
  if (options_.carrier != nullptr) options_.carrier->Stop();
}

bool Dispatcher::CarrierHasAborted(absl::Duration patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, absl::ToChronoNanoseconds(patience),
                           [this] { return carrier_aborted_; });
}

}  // namespace starling
