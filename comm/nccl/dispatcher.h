// A worker's exchanges, as they are posted to the referee (referee.h) and carried out by its
// orders. Knows nothing of CUDA: a Carrier does what cards do.
//
// A thread of the dispatcher carries out orders while the worker computes. An exchange is done when
// all that it sends and receives has been handed to the card, behind what the worker's queue held
// when it began; its Wait makes the worker's current queue wait for the end, and not the worker.
//
// Deadlines hold for both: past it a worker that still waits for others to post gets
// DEADLINE_EXCEEDED, and a message that the cards have begun and not ended ends the run with it.
#ifndef COMM_NCCL_DISPATCHER_H_
#define COMM_NCCL_DISPATCHER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "comm/exchanging.h"
#include "comm/nccl/carrier.h"
#include "comm/nccl/protocol.pb.h"

namespace starling {

class Dispatcher {
 public:
  struct Options {
    int rank = 0;
    Carrier* carrier = nullptr;                       // not owned; null: messages on the host only
    std::function<void(const NcclPost&)> post;        // to the referee
    std::function<void(const absl::Status&)> failed;  // ends the run
  };
  explicit Dispatcher(Options options);

  // As End.
  ~Dispatcher();

  // All exchanges have been destroyed: ends the thread, and with it the use of `post` and `failed`.
  void End();

  // The next order. Returns at once; any thread.
  void OnOrder(NcclOrder order);

  // As Communicator::StartExchange. INVALID_ARGUMENT: more than 60 MiB from the host.
  absl::StatusOr<std::unique_ptr<Work>> Exchange(absl::Span<const Send> sends,
                                                 absl::Span<const Receive> receives,
                                                 const ExchangeOptions& options);

  // The carrier's own sum of values on the card; as Communicator::AllReduceSum, of two members at
  // least. `options.completed` is called.
  std::unique_ptr<Work> Sum(absl::Span<const int> group, MessageKey key, Buffer values,
                            const ExchangeOptions& options);

  // Waits until the carrier has joined the world, which all must do before one may leave it, and
  // the card has ended what it was given; or until the run was aborted.
  void Drain();

  // Ends all waiting, now and later, with ABORTED and the first reason given; the carrier aborts.
  void Abort(const absl::Status& reason);

  // After Abort: whether the carrier has aborted, or does so in time.
  bool CarrierHasAborted(absl::Duration patience);

 private:
  // An exchange, or a sum: then it has no messages.
  struct Carried : Exchanging {
    using Exchanging::Exchanging;

    int64_t first = 0;  // number of its first message; receives follow the sends
    int unsettled = 0;  // numbers that an order is expected for
    Carrier::PointPtr after;
    std::vector<Carrier::PointPtr> ends;  // of what the card does for it
    bool waited = false;                  // so the waiting queue knows them
    std::vector<int> group;               // of a sum
    MessageKey key;
    Buffer values;
  };
  using CarriedPtr = std::shared_ptr<Carried>;

  // What the card has been given, and not ended when somebody last looked.
  struct Moving {
    CarriedPtr exchange;
    std::string what;  // it waits for
    Carrier::PointPtr end;
  };
  class CarriedWork;

  void Post(const CarriedPtr& exchange, const NcclPost& post);
  bool Done(const Carried& exchange);
  absl::Status Wait(Carried* exchange);
  std::string Missing(const Carried& exchange);
  void Cancel(const CarriedPtr& exchange);
  static std::string Wants(const Carried& exchange);
  static absl::Status TimedOut(const Carried& exchange, const std::string& what);
  NcclPost Withdrawal(const Carried& exchange);  // of what is unsettled

  // By the thread.
  void Loop();
  absl::Status Obey(const NcclOrder& order);
  absl::Status Move(const NcclOrder& order);
  absl::Status StartMoves(const std::vector<NcclOrder::Move>& sends,
                          const std::vector<NcclOrder::Move>& receives);
  absl::Status StartSum(const NcclOrder::Sum& sum);
  void Arrive(const NcclOrder::Arrival& arrival);
  absl::Status Watch();

  // With mutex_ held.
  CarriedPtr Find(int64_t number);
  Carrier::Piece PieceOf(const NcclOrder::Move& move, bool sends);
  void Started(const CarriedPtr& exchange, const std::string& what, const Carrier::PointPtr& end);
  void Settle(int64_t number);
  void AllDone(const CarriedPtr& exchange);
  void CallCompleted(std::unique_lock<std::mutex>* lock);

  const Options options_;

  std::mutex mutex_;
  std::condition_variable changed_;  // an exchange
  std::condition_variable wake_;     // the thread
  std::deque<NcclOrder> orders_;
  std::unordered_map<int64_t, CarriedPtr> unsettled_;  // by number
  int64_t next_number_ = 1;
  std::vector<Moving> moving_;
  std::vector<CarriedPtr> completed_;   // their callers are still to be told
  std::optional<std::string> aborted_;  // the reason
  bool joined_ = false;                 // the carrier's world
  bool carrier_aborted_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace starling

#endif  // COMM_NCCL_DISPATCHER_H_
