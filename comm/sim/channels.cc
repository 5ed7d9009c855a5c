#include "comm/sim/channels.h"

#include <utility>

namespace starling {

void Channels::Add(Transfer transfer) {
  auto shared = std::make_shared<Transfer>(std::move(transfer));
  for (const int worker : shared->workers) channels_[worker].waiting.push_back(shared);
  StartNext(shared->workers[0]);
}

bool Channels::MayStart(const Transfer& transfer) const {
  for (const int worker : transfer.workers) {
    const Channel& channel = channels_[worker];
    if (channel.waiting.front().get() != &transfer) return false;
    if (channel.under_way > 0 && channel.set != transfer.set) return false;
  }
  return true;
}

void Channels::StartNext(int worker) {
  Channel& channel = channels_[worker];
  while (!channel.waiting.empty() && MayStart(*channel.waiting.front())) {
    const std::shared_ptr<Transfer> next = channel.waiting.front();
    for (const int member : next->workers) {
      channels_[member].waiting.pop_front();
      channels_[member].set = next->set;
      ++channels_[member].under_way;
    }
    StartNow(next);
  }
}

void Channels::StartNow(const std::shared_ptr<Transfer>& transfer) {
  auto done = std::move(transfer->job.done);
  transfer->job.done = [this, transfer, done = std::move(done)] {
    for (const int worker : transfer->workers) --channels_[worker].under_way;
    for (const int worker : transfer->workers) StartNext(worker);
    done();
  };
  network_->Start(std::move(transfer->job));
}

}  // namespace starling
