// The post office of a simulated world: matches sends with receives and gathers the members of
// sums. What is matched has its numbers at once (nobody may look at them yet) and is done when the
// simulated network has carried it.
//
// Workers are SimGrid's actors, of which one runs at a time, so nothing here happens by chance.
// Only what describes an exchange to other threads is guarded by a mutex, which is never held while
// time passes.
#ifndef COMM_SIM_WORLD_H_
#define COMM_SIM_WORLD_H_

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "comm/exchanging.h"
#include "comm/sim/channels.h"
#include "comm/sim/transfers.h"
#include "core/clock.h"

namespace starling {

// Something that a worker has begun: an exchange, or its part in a sum.
struct Begun {
  Begun(int rank, absl::Span<const Send> sends, absl::Span<const Receive> receives,
        const ExchangeOptions& options, double now, int64_t step)
      : exchanging(rank, sends, receives, options),
        training(options.traffic == Traffic::kTraining),
        began(now),
        step(step) {}

  Exchanging exchanging;
  const bool training;  // measurements take no time
  const double began;
  const int64_t step;
  int64_t number = 0;  // of all in the world

  // Of a sum only.
  std::vector<int> group;
  MessageKey key;
  Buffer values;
  bool summed = false;
  bool overdue = false;  // a wait for it has ended at its deadline

  bool done() const { return exchanging.open == 0; }
};

class World {
 public:
  // `bytes_per_byte`: what a byte of training counts as. Nothing is owned.
  World(int workers, int workers_per_node, const Transfers* transfers, Channels* channels,
        Clock* clock, const double* bytes_per_byte);
  ~World();

  void Post(const std::shared_ptr<Begun>& exchange);
  void PostSum(const std::shared_ptr<Begun>& sum);

  bool Done(const Begun& begun) const;
  absl::Status Wait(Begun* begun);
  std::string Missing(const Begun& begun) const;
  void Cancel(const std::shared_ptr<Begun>& begun);
  void Abort(const absl::Status& reason);

 private:
  struct Waiter {
    std::shared_ptr<Begun> begun;
    int index;  // of the send or the receive
  };
  struct Waiting {
    std::list<Waiter> sends, receives;
  };
  using Box = std::unordered_map<MessageKey, Waiting, MessageKeyHash>;
  // Who takes part in a sum so far.
  struct Gathering {
    std::vector<std::shared_ptr<Begun>> members;  // by place in the group; null: not yet
    int present = 0;
  };
  struct Wakeup;

  void Match(const Waiter& sender, const Waiter& receiver);
  void Carry(Transfer transfer, bool training);
  void Arrived(const Waiter& sender, const Waiter& receiver);
  void AddUp(std::vector<std::shared_ptr<Begun>> members);
  void Finished(const std::shared_ptr<Begun>& begun);
  void RemoveFrom(Box* box, const MessageKey& key, const Begun* begun);

  const int workers_per_node_;
  const Transfers* transfers_;
  Channels* channels_;
  Clock* clock_;
  const double* bytes_per_byte_;
  int64_t begun_ = 0;
  std::vector<Box> boxes_;  // by destination
  // Not complete yet, by the first member of the group.
  std::vector<std::unordered_map<MessageKey, std::list<Gathering>, MessageKeyHash>> sums_;
  std::vector<std::unique_ptr<Wakeup>> wakeups_;  // by worker
  mutable std::mutex mutex_;
  std::optional<std::string> aborted_;  // the reason
};

}  // namespace starling

#endif  // COMM_SIM_WORLD_H_
