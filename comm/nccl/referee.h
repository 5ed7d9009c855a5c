// Who brings both ends of a message together, and says in which order the cards move messages.
//
// NCCL knows no keys: it matches the sends and receives of two workers in the order in which they
// issue them, a card carries out what lies in one of its streams one by one, and what it has begun
// it cannot put off. So workers issue nothing by themselves. They post what they want to send and
// receive to the lead, whose referee matches it by key and orders both ends to issue it.
//
//   worker a:  Exchange -> post --.                         .--> order: ncclSend to b, in lane 1
//   worker b:  Exchange -> post ----> referee, at the lead ----> order: ncclRecv from a, in lane 1
//
// No deadlock. The referee gives orders one after the other, everybody gets his in that sequence
// (connections keep it), and issues them in it: so all cards see one global sequence of messages,
// sums and new communicators, each only a part of it. Order k is given when all its ends have been
// posted. What its end at a worker waits for on the card is (1) what that worker's queue held when
// it posted, which waits at most for orders that had been issued there before, hence given before
// k; (2) what was issued before in the same stream, and whatever else a card that is short of room
// puts first, which again is before k. So everything waits for smaller numbers only, and the
// smallest that has not ended can always go on. The same holds for the host, which may have to wait
// for its peers while NCCL connects them: in order k they meet, and nobody waits for a later one.
//
// Lanes. In one stream a worker in the middle of a chain would receive before it sends. So two
// neighbours of a worker get different streams (and communicators), of up to kLanes: the lane of a
// pair is chosen when it first talks, as the one that both have used for the fewest others.
// Messages that one post completes go together, and both directions between two workers at once.
//
// Small messages on the host do not meet NCCL at all: a send brings its bytes along, and the
// receive's order has them.
#ifndef COMM_NCCL_REFEREE_H_
#define COMM_NCCL_REFEREE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "comm/message.h"
#include "comm/nccl/protocol.pb.h"

namespace starling {

class Referee {
 public:
  static constexpr int kLanes = 4;

  // `give` hands an order to a worker; it must keep the sequence and not call back.
  using Give = std::function<void(int worker, const NcclOrder& order)>;
  Referee(int workers, Give give);

  // Gives all an order that starts their world, before all others.
  void Begin(const std::string& world);

  // By any thread.
  void OnPost(int from, const NcclPost& post);

 private:
  struct Open {
    int worker;  // who posted it
    NcclEnd end;
  };
  // Messages to one worker: what has been sent and is not received, and the other way round.
  struct Waiting {
    std::list<Open> sends, receives;
  };
  struct OpenSum {
    std::map<int, NcclSum> posted;  // by worker
  };
  using SumKey = std::tuple<std::vector<int>, uint32_t, int64_t, int32_t>;
  using Orders = std::map<int, NcclOrder>;  // by worker; given together

  void PostSend(int from, const NcclEnd& end, Orders* orders);
  void PostReceive(int from, const NcclEnd& end, Orders* orders);
  void Match(const Open& send, const Open& receive, Orders* orders);
  void PostSum(int from, const NcclSum& sum, Orders* orders);
  void Withdraw(int from, const NcclPost& post, Orders* orders);
  int CommunicatorOf(int a, int b);
  int MakeCommunicator(const std::vector<int>& members);

  const int workers_;
  const Give give_;

  std::mutex mutex_;
  std::vector<std::unordered_map<MessageKey, Waiting, MessageKeyHash>> boxes_;  // by receiver
  std::map<SumKey, OpenSum> sums_;
  int communicators_ = 0;                       // that have been ordered
  std::map<std::vector<int>, int> groups_;      // communicators of sums
  std::array<int, kLanes> lanes_;               // communicators; -1: none yet
  std::map<std::pair<int, int>, int> lane_of_;  // by pair, the smaller rank first
  std::vector<std::array<int, kLanes>> pairs_;  // by worker and lane: how many it has there
};

}  // namespace starling

#endif  // COMM_NCCL_REFEREE_H_
