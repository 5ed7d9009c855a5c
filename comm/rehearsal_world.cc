#include "comm/rehearsal_world.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/buffer.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// Who asks Done() in vain this often for one exchange lets others run.
constexpr int64_t kPatientAsks = 3;
// When all workers together have asked this often while nothing happened, asking is waiting.
constexpr int64_t kFruitlessAsks = 10000;

// Calls f(peer, what is wanted of it) for all that is missing.
template <typename F>
void ForEachMissing(const RehearsedExchange& exchange, const F& f) {
  for (size_t i = 0; i < exchange.receives.size(); ++i) {
    if (!exchange.received[i]) f(exchange.receives[i].from, Wanted(exchange.receives[i]));
  }
  for (size_t i = 0; i < exchange.sends.size(); ++i) {
    if (!exchange.sent[i]) f(exchange.sends[i].to, Wanted(exchange.sends[i]));
  }
}

}  // namespace

size_t RehearsalWorld::RouteHash::operator()(const Route& route) const {
  const auto mix = [](uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
  };
  uint64_t hash = mix(static_cast<uint64_t>(route.from) << 32, route.to);
  hash = mix(hash, route.key.round);
  return mix(hash, static_cast<uint64_t>(route.key.bucket) << 32 |
                       static_cast<uint64_t>(route.key.stream) << 16 | route.key.part);
}

// Turns.

void RehearsalWorld::AwaitTurn(int rank) {
  std::unique_lock<std::mutex> lock(mutex_);
  turns_[rank].wait(lock, [&] { return turn_ == rank; });
}

void RehearsalWorld::GiveTurn(int rank) {
  std::lock_guard<std::mutex> lock(mutex_);
  turn_ = rank;
  turns_[rank].notify_one();
}

bool RehearsalWorld::CanGoOn(int rank) const {
  if (ended_[rank]) return false;
  return violation_ || waiting_[rank] == nullptr || waiting_[rank]->open == 0;
}

// Whose turn it is when `rank` gives its own away; `rank` itself if nobody else can go on;
// nobody's, -1, when all have ended.
int RehearsalWorld::NextAfter(int rank) {
  for (int i = 1; i <= size(); ++i) {
    const int next = (rank + i) % size();
    if (CanGoOn(next)) return next;
  }
  if (std::count(ended_.begin(), ended_.end(), true) == size()) return -1;
  int culprit = rank;
  ViolateDeadlock(&culprit);
  return CanGoOn(culprit) ? culprit : NextAfter(rank);
}

void RehearsalWorld::LetOthersRun(int rank) {
  const int next = NextAfter(rank);
  if (next == rank) return;
  GiveTurn(next);
  AwaitTurn(rank);
}

void RehearsalWorld::Finish(int rank, const absl::Status& status) {
  ended_[rank] = true;
  fruitless_asks_ = 0;
  if (!status.ok() && result_.ok()) {
    result_ = violation_ ? status : WithContext(status, absl::StrCat("worker ", rank));
    Violate(result_.message());
  }
  const int next = NextAfter(rank);
  if (next >= 0) GiveTurn(next);
}

// Exchanges.

absl::Status RehearsalWorld::Post(RehearsedExchange* exchange) {
  ++posts_;
  fruitless_asks_ = 0;
  const int receives = static_cast<int>(exchange->receives.size());
  const int sends = static_cast<int>(exchange->sends.size());
  for (int i = 0; i < receives && !violation_; ++i) PostReceive(exchange, i);
  for (int i = 0; i < sends && !violation_; ++i) PostSend(exchange, i);
  if (posts_ == 1) CallCompleted();
  --posts_;
  exchange->posting = false;
  return violation_ ? Violation() : absl::OkStatus();
}

// These calls may post more; what that completes is called from here too, never from within.
void RehearsalWorld::CallCompleted() {
  while (!completed_.empty()) {
    const RehearsedExchange* exchange = completed_.front();
    completed_.pop_front();
    exchange->completed();
  }
}

void RehearsalWorld::PostSend(RehearsedExchange* exchange, int index) {
  const Send& send = exchange->sends[index];
  Ends& ends = routes_[RouteOf(*exchange, send)];
  if (ends.send.exchange != nullptr) {
    return Violate(absl::StrCat("worker ", exchange->rank, " sends ", ToString(send.key),
                                " to worker ", send.to,
                                " while an earlier message with this key may still be on its way "
                                "there: the two can be confused"));
  }
  ends.send = {exchange, index};
  if (ends.receive.exchange != nullptr && !ends.receive.exchange->received[ends.receive.index]) {
    return Match(ends.send, ends.receive);
  }
  const auto anyone = from_anyone_.find({kAnyone, send.to, send.key});
  if (anyone == from_anyone_.end()) return;
  const Port first = anyone->second.front();
  anyone->second.pop_front();
  if (anyone->second.empty()) from_anyone_.erase(anyone);
  Match(ends.send, first);
}

void RehearsalWorld::PostReceive(RehearsedExchange* exchange, int index) {
  const Receive& receive = exchange->receives[index];
  if (receive.from == kAnyone) {
    for (int from = 0; from < size(); ++from) {
      const auto found = routes_.find({from, exchange->rank, receive.key});
      if (found == routes_.end()) continue;
      const Port& send = found->second.send;
      if (send.exchange == nullptr || send.exchange->sent[send.index]) continue;
      return Match(send, {exchange, index});
    }
    from_anyone_[RouteOf(*exchange, receive)].push_back({exchange, index});
    return;
  }
  Ends& ends = routes_[RouteOf(*exchange, receive)];
  if (ends.receive.exchange != nullptr) {
    return Violate(absl::StrCat("worker ", exchange->rank, " awaits ", ToString(receive.key),
                                " from worker ", receive.from,
                                " while it may still await an earlier message with this key: the "
                                "two can be confused"));
  }
  ends.receive = {exchange, index};
  if (ends.send.exchange != nullptr && !ends.send.exchange->sent[ends.send.index]) {
    Match(ends.send, ends.receive);
  }
}

void RehearsalWorld::Match(const Port& sender, const Port& receiver) {
  const Send& send = sender.exchange->sends[sender.index];
  const Receive& receive = receiver.exchange->receives[receiver.index];
  const auto sizes = [&] {
    return absl::StrCat("worker ", sender.exchange->rank, " sends ", send.data.count, " ",
                        DTypeName(send.data.type), " as ", ToString(send.key), ", and worker ",
                        receiver.exchange->rank, " has room for ", receive.into.count, " ",
                        DTypeName(receive.into.type));
  };
  if (send.data.type != receive.into.type || send.data.count > receive.into.count) {
    return Violate(sizes());
  }
  if (send.data.count > 0) std::memcpy(receive.into.data, send.data.data, send.data.bytes());
  if (send.data.count < receive.into.count) {
    receiver.exchange->shorter = absl::StrCat(sizes(), " and never asks how much came");
  }
  if (sender.exchange->traffic == Traffic::kTraining) ++messages_;
  fruitless_asks_ = 0;
  const auto completed = [&](RehearsedExchange* exchange) {
    if (exchange->completed && !exchange->posting) completed_.push_back(exchange);
  };
  if (sender.exchange->Sent(sender.index)) completed(sender.exchange);
  if (receiver.exchange->Received(receiver.index, {sender.exchange->rank, send.data.count})) {
    completed(receiver.exchange);
  }
}

void RehearsalWorld::Know(RehearsedExchange* exchange) {
  if (exchange->known) return;
  exchange->known = true;
  Forget(*exchange);
}

// Frees the routes for the next messages with the same keys.
void RehearsalWorld::Forget(const RehearsedExchange& exchange) {
  const auto free = [&](const Route& route, Port Ends::*end) {
    const auto found = routes_.find(route);
    if (found == routes_.end() || (found->second.*end).exchange != &exchange) return;
    found->second.*end = {};
    const Ends& ends = found->second;
    if (ends.send.exchange == nullptr && ends.receive.exchange == nullptr) routes_.erase(found);
  };
  for (const Send& send : exchange.sends) free(RouteOf(exchange, send), &Ends::send);
  for (const Receive& receive : exchange.receives) {
    free(RouteOf(exchange, receive), &Ends::receive);
  }
}

bool RehearsalWorld::Done(RehearsedExchange* exchange) {
  const int rank = exchange->rank;
  ++exchange->asks;
  // Others run only when a worker asks for itself, not while it moves on the exchanges of others.
  if (exchange->open > 0 && !violation_ && posts_ == 0 && turn_ == rank &&
      exchange->asks > kPatientAsks) {
    asking_[rank] = exchange;
    int culprit;
    if (++fruitless_asks_ > kFruitlessAsks) ViolateDeadlock(&culprit);
    LetOthersRun(rank);
  }
  if (violation_) return true;
  if (exchange->open > 0) return false;
  asking_[rank] = nullptr;
  if (exchange->asks > 1) Know(exchange);
  return true;
}

absl::Status RehearsalWorld::Wait(RehearsedExchange* exchange) {
  const int rank = exchange->rank;
  asking_[rank] = nullptr;
  while (exchange->open > 0 && !violation_) {
    waiting_[rank] = exchange;
    LetOthersRun(rank);
  }
  waiting_[rank] = nullptr;
  if (violation_) return Violation();
  Know(exchange);
  return absl::OkStatus();
}

void RehearsalWorld::Drop(RehearsedExchange* exchange) {
  if (asking_[exchange->rank] == exchange) asking_[exchange->rank] = nullptr;
  if (!violation_ && !lost_) Lose(*exchange);
  Forget(*exchange);
  for (const Receive& receive : exchange->receives) {
    const auto found = from_anyone_.find(RouteOf(*exchange, receive));
    if (found == from_anyone_.end()) continue;
    auto& ports = found->second;
    ports.erase(std::remove_if(ports.begin(), ports.end(),
                               [&](const Port& port) { return port.exchange == exchange; }),
                ports.end());
    if (ports.empty()) from_anyone_.erase(found);
  }
}

// Violations.

void RehearsalWorld::Violate(absl::string_view what) {
  if (!violation_) violation_ = std::string(what);
  completed_.clear();
}

// Notes what goes lost when `exchange` is dropped now.
void RehearsalWorld::Lose(const RehearsedExchange& exchange) {
  if (exchange.known) {
    if (!exchange.asked && !exchange.shorter.empty()) lost_ = exchange.shorter;
    return;
  }
  const std::string worker = absl::StrCat("worker ", exchange.rank);
  constexpr char kDrops[] = " and drops the exchange without waiting for its end";
  if (!exchange.sends.empty()) {
    const Send& send = exchange.sends[0];
    lost_ = absl::StrCat(worker, " sends ", ToString(send.key), " to worker ", send.to, kDrops);
    return;
  }
  for (const Receive& receive : exchange.receives) {
    if (receive.from == kAnyone) continue;
    lost_ = absl::StrCat(worker, " awaits ", ToString(receive.key), " from worker ", receive.from,
                         kDrops);
    return;
  }
}

// `culprit`: who had better be told first.
void RehearsalWorld::ViolateDeadlock(int* culprit) {
  const std::string deadlock = Deadlock(culprit);
  Violate(lost_ ? *lost_ : deadlock);
}

// Who waits for whom: a cycle, or what somebody waits for in vain.
std::string RehearsalWorld::Deadlock(int* culprit) const {
  std::vector<int> chain;
  std::vector<std::string> waits;
  int rank = 0;
  while (ended_[rank]) ++rank;
  auto known = chain.end();
  while ((known = std::find(chain.begin(), chain.end(), rank)) == chain.end()) {
    const RehearsedExchange* exchange = waiting_[rank] != nullptr ? waiting_[rank] : asking_[rank];
    CHECK(exchange != nullptr) << "worker " << rank << " can go on";
    const bool measures = exchange->traffic == Traffic::kMeasurement;
    const std::string waits_for =
        absl::StrCat("worker ", rank, measures ? " waits in a measurement for " : " waits for ");
    std::string in_vain, wait;  // wait for one that has ended, or for anyone: no cycle, but vain
    int next = rank;
    ForEachMissing(*exchange, [&](int peer, const std::string& wanted) {
      if (peer == kAnyone || ended_[peer]) {
        if (!in_vain.empty()) return;
        in_vain = absl::StrCat(waits_for, wanted,
                               peer == kAnyone ? ", and nobody does"
                                               : absl::StrCat(", but worker ", peer, " has ended"));
      } else if (wait.empty()) {
        wait = waits_for + wanted;
        next = peer;
      }
    });
    if (!in_vain.empty()) {
      *culprit = rank;
      return in_vain;
    }
    chain.push_back(rank);
    waits.push_back(std::move(wait));
    rank = next;
  }
  // What leads into the cycle goes; the cycle begins with its lowest rank.
  waits.erase(waits.begin(), waits.begin() + (known - chain.begin()));
  chain.erase(chain.begin(), known);
  const auto lowest = std::min_element(chain.begin(), chain.end()) - chain.begin();
  std::rotate(waits.begin(), waits.begin() + lowest, waits.end());
  *culprit = chain[lowest];
  return absl::StrCat("nobody can go on: ", absl::StrJoin(waits, "; "));
}

absl::Status RehearsalWorld::result() const {
  if (!result_.ok()) return result_;
  if (violation_) return Violation();
  return lost_ ? absl::FailedPreconditionError(*lost_) : absl::OkStatus();
}

}  // namespace starling
