// Messages between workers of one process whose card is the pretended one
// (core/device/pretend_device.h).
#ifndef COMM_NCCL_PRETEND_CARRIER_H_
#define COMM_NCCL_PRETEND_CARRIER_H_

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "comm/nccl/carrier.h"
#include "core/device/device.h"

namespace starling {

// All workers' carriers meet here; lives longer than they do.
class PretendWorld {
 public:
  explicit PretendWorld(int workers) : workers_(workers) {}

  std::unique_ptr<Carrier> NewCarrier(int rank);

 private:
  class PretendCarrier;

  struct Arrived {
    Carrier::Piece piece;
    Queue* queue;
  };
  // A message (the sender comes first) or a sum.
  struct Meeting {
    std::vector<Arrived> arrived;
    bool done = false;
  };
  // (communicator, sender, receiver, how manieth); -1 for both workers: a sum.
  using MeetingKey = std::tuple<int, int, int, int64_t>;

  const int workers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<MeetingKey, Meeting> meetings_;
  std::vector<std::vector<int>> communicators_;  // members
};

}  // namespace starling

#endif  // COMM_NCCL_PRETEND_CARRIER_H_
