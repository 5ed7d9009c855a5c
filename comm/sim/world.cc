#include "comm/sim/world.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "comm/sim/sums.h"
#include "glog/logging.h"
#include "simgrid/s4u.hpp"

namespace starling {

// A worker that sleeps until something that it has begun is done.
struct World::Wakeup {
  simgrid::s4u::SemaphorePtr permits = simgrid::s4u::Semaphore::create(0);
  const Begun* awaited = nullptr;  // null: it does not wait

  void Signal() {
    awaited = nullptr;
    permits->release();
  }
};

World::World(int workers, int workers_per_node, const Transfers* transfers, Channels* channels,
             Clock* clock, const double* bytes_per_byte)
    : workers_per_node_(workers_per_node),
      transfers_(transfers),
      channels_(channels),
      clock_(clock),
      bytes_per_byte_(bytes_per_byte),
      boxes_(workers),
      sums_(workers) {
  for (int worker = 0; worker < workers; ++worker) wakeups_.push_back(std::make_unique<Wakeup>());
}

World::~World() = default;

void World::Carry(Transfer transfer, bool training) {
  if (!training) return transfer.job.done();
  channels_->Add(std::move(transfer));
}

void World::Post(const std::shared_ptr<Begun>& exchange) {
  exchange->number = begun_++;
  const Exchanging& wanted = exchange->exchanging;
  std::vector<std::pair<Waiter, Waiter>> matches;
  for (int i = 0; i < static_cast<int>(wanted.receives.size()); ++i) {
    Waiting& waiting = boxes_[wanted.rank][wanted.receives[i].key];
    const int from = wanted.receives[i].from;
    const auto found =
        std::find_if(waiting.sends.begin(), waiting.sends.end(), [from](const Waiter& sender) {
          return from == kAnyone || sender.begun->exchanging.rank == from;
        });
    if (found == waiting.sends.end()) {
      waiting.receives.push_back({exchange, i});
      continue;
    }
    matches.push_back({*found, {exchange, i}});
    waiting.sends.erase(found);
  }
  for (int i = 0; i < static_cast<int>(wanted.sends.size()); ++i) {
    const Send& send = wanted.sends[i];
    Waiting& waiting = boxes_[send.to][send.key];
    const auto found = std::find_if(
        waiting.receives.begin(), waiting.receives.end(), [&wanted](const Waiter& receiver) {
          const Receive& receive = receiver.begun->exchanging.receives[receiver.index];
          return receive.from == kAnyone || receive.from == wanted.rank;
        });
    if (found == waiting.receives.end()) {
      for (const Waiter& other : waiting.sends) {
        CHECK_NE(other.begun->exchanging.rank, wanted.rank)
            << "worker " << wanted.rank << " sends " << ToString(send.key) << " to worker "
            << send.to << " twice";
      }
      waiting.sends.push_back({exchange, i});
      continue;
    }
    matches.push_back({{exchange, i}, *found});
    waiting.receives.erase(found);
  }
  for (const auto& [sender, receiver] : matches) {
    Box& box = boxes_[receiver.begun->exchanging.rank];
    const auto empty = box.find(sender.begun->exchanging.sends[sender.index].key);
    if (empty != box.end() && empty->second.sends.empty() && empty->second.receives.empty()) {
      box.erase(empty);
    }
    Match(sender, receiver);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  exchange->exchanging.posting = false;
}

void World::Match(const Waiter& sender, const Waiter& receiver) {
  const Send& send = sender.begun->exchanging.sends[sender.index];
  const Receive& receive = receiver.begun->exchanging.receives[receiver.index];
  if (send.data.bytes() > receive.into.bytes()) {
    std::lock_guard<std::mutex> lock(mutex_);
    receiver.begun->exchanging.TooLong(receiver.index, sender.begun->exchanging.rank,
                                       send.data.bytes());
  } else if (send.data.count > 0 && send.data.place == Place::kHost) {
    std::memcpy(receive.into.data, send.data.data, send.data.bytes());
  }
  Transfer transfer;
  transfer.workers = {sender.begun->exchanging.rank};
  transfer.set = sender.begun->number;
  transfer.job = transfers_->Message(sender.begun->exchanging.rank, receiver.begun->exchanging.rank,
                                     static_cast<double>(send.data.bytes()) * *bytes_per_byte_,
                                     sender.begun->step);
  transfer.job.done = [this, sender, receiver] { Arrived(sender, receiver); };
  Carry(std::move(transfer), sender.begun->training);
}

void World::Arrived(const Waiter& sender, const Waiter& receiver) {
  const Exchanging& from = sender.begun->exchanging;
  bool sent_all, received_all;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    sent_all = sender.begun->exchanging.Sent(sender.index);
    received_all = receiver.begun->exchanging.Received(
        receiver.index, {from.rank, from.sends[sender.index].data.count});
  }
  if (sent_all) Finished(sender.begun);
  if (received_all) Finished(receiver.begun);
}

void World::Finished(const std::shared_ptr<Begun>& begun) {
  Wakeup& wakeup = *wakeups_[begun->exchanging.rank];
  if (wakeup.awaited == begun.get()) wakeup.Signal();
  const Exchanging& exchanging = begun->exchanging;
  if (exchanging.completed && !exchanging.posting && !exchanging.cancelled) exchanging.completed();
}

void World::PostSum(const std::shared_ptr<Begun>& sum) {
  sum->number = begun_++;
  sum->exchanging.open = 1;
  const auto place = std::lower_bound(sum->group.begin(), sum->group.end(), sum->exchanging.rank);
  CHECK(place != sum->group.end() && *place == sum->exchanging.rank)
      << "worker " << sum->exchanging.rank << " is not in its group";
  auto& sums = sums_[sum->group[0]];
  std::list<Gathering>& open = sums[sum->key];
  const auto same = [&](const Gathering& gathering) {
    const auto any = std::find_if(gathering.members.begin(), gathering.members.end(),
                                  [](const auto& member) { return member != nullptr; });
    return (*any)->group == sum->group;
  };
  auto found = std::find_if(open.begin(), open.end(), same);
  if (found == open.end()) {
    found = open.insert(open.end(), Gathering());
    found->members.resize(sum->group.size());
  }
  std::shared_ptr<Begun>& member = found->members[place - sum->group.begin()];
  CHECK(member == nullptr) << "worker " << sum->exchanging.rank << " sums " << ToString(sum->key)
                           << " twice";
  member = sum;
  if (++found->present == static_cast<int>(sum->group.size())) {
    auto members = std::move(found->members);
    open.erase(found);
    if (open.empty()) sums.erase(sum->key);
    AddUp(std::move(members));
  }
  std::lock_guard<std::mutex> lock(mutex_);
  sum->exchanging.posting = false;
}

void World::AddUp(std::vector<std::shared_ptr<Begun>> members) {
  std::vector<Buffer> values;
  for (const auto& member : members) {
    values.push_back(member->values);
    member->summed = true;
  }
  SumInTwoLevels(members[0]->group, workers_per_node_, values);
  Transfer transfer;
  transfer.workers = members[0]->group;
  transfer.set = members.back()->number;
  transfer.job =
      transfers_->Sum(members[0]->group, static_cast<double>(values[0].bytes()) * *bytes_per_byte_,
                      members[0]->step);
  const bool training = members[0]->training;
  transfer.job.done = [this, members = std::move(members)] {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& member : members) member->exchanging.open = 0;
    }
    for (const auto& member : members) Finished(member);
  };
  Carry(std::move(transfer), training);
}

bool World::Done(const Begun& begun) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return begun.done() || begun.overdue || aborted_.has_value();
}

absl::Status World::Wait(Begun* begun) {
  const Exchanging& exchanging = begun->exchanging;
  Wakeup& wakeup = *wakeups_[exchanging.rank];
  while (!Done(*begun)) {
    wakeup.awaited = begun;
    if (exchanging.patience == absl::InfiniteDuration()) {
      wakeup.permits->acquire();
      continue;
    }
    const double left =
        begun->began + absl::ToDoubleSeconds(exchanging.patience) - clock_->NowSeconds();
    const bool late = left <= 0 || wakeup.permits->acquire_timeout(left);
    if (!late) continue;
    // Signalled at this very time: a permit is left.
    if (wakeup.awaited == nullptr) wakeup.permits->acquire();
    wakeup.awaited = nullptr;
    std::lock_guard<std::mutex> lock(mutex_);
    begun->overdue = !begun->done();
  }
  if (begun->done()) return exchanging.Result();
  if (begun->overdue) {
    return absl::DeadlineExceededError(absl::StrCat("worker ", exchanging.rank, " waited ",
                                                    absl::FormatDuration(exchanging.patience),
                                                    " for ", Missing(*begun)));
  }
  return absl::AbortedError(*aborted_);
}

std::string World::Missing(const Begun& begun) const {
  if (begun.group.empty()) {
    std::lock_guard<std::mutex> lock(mutex_);
    return begun.exchanging.Missing();
  }
  return absl::StrCat("the sum ", ToString(begun.key), " of workers ",
                      absl::StrJoin(begun.group, ", "));
}

void World::RemoveFrom(Box* box, const MessageKey& key, const Begun* begun) {
  const auto found = box->find(key);
  if (found == box->end()) return;
  const auto mine = [begun](const Waiter& waiter) { return waiter.begun.get() == begun; };
  found->second.sends.remove_if(mine);
  found->second.receives.remove_if(mine);
  if (found->second.sends.empty() && found->second.receives.empty()) box->erase(found);
}

void World::Cancel(const std::shared_ptr<Begun>& begun) {
  begun->exchanging.cancelled = true;
  if (begun->done()) return;
  for (const Receive& receive : begun->exchanging.receives) {
    RemoveFrom(&boxes_[begun->exchanging.rank], receive.key, begun.get());
  }
  for (const Send& send : begun->exchanging.sends) {
    RemoveFrom(&boxes_[send.to], send.key, begun.get());
  }
  if (begun->group.empty() || begun->summed) return;
  auto& sums = sums_[begun->group[0]];
  const auto open = sums.find(begun->key);
  for (auto gathering = open->second.begin(); gathering != open->second.end(); ++gathering) {
    const auto member = std::find(gathering->members.begin(), gathering->members.end(), begun);
    if (member == gathering->members.end()) continue;
    *member = nullptr;
    if (--gathering->present == 0) open->second.erase(gathering);
    break;
  }
  if (open->second.empty()) sums.erase(open);
}

void World::Abort(const absl::Status& reason) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (aborted_.has_value()) return;
    aborted_ = std::string(reason.message());
  }
  for (const auto& wakeup : wakeups_) {
    if (wakeup->awaited != nullptr) wakeup->Signal();
  }
}

}  // namespace starling
