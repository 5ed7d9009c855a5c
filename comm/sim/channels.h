// Which transfers are under way: every worker has one channel, which serves transfers in the order
// in which both sides were ready for them. Transfers of one set pass a channel together.
#ifndef COMM_SIM_CHANNELS_H_
#define COMM_SIM_CHANNELS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "comm/sim/network.h"

namespace starling {

struct Transfer {
  std::vector<int> workers;  // whose channels it takes, all at once
  int64_t set = 0;
  Network::Job job;
};

class Channels {
 public:
  // `network` is not owned.
  Channels(int workers, Network* network) : network_(network), channels_(workers) {}

  void Add(Transfer transfer);

 private:
  struct Channel {
    std::deque<std::shared_ptr<Transfer>> waiting;
    int under_way = 0;
    int64_t set = 0;  // of what is under way
  };

  bool MayStart(const Transfer& transfer) const;
  void StartNext(int worker);  // all that may at this channel
  void StartNow(const std::shared_ptr<Transfer>& transfer);

  Network* network_;
  std::vector<Channel> channels_;
};

}  // namespace starling

#endif  // COMM_SIM_CHANNELS_H_
