// What goes on in a rehearsal (rehearsal.h): whose turn it is, which exchanges are open, and what
// is wrong with them.
#ifndef COMM_REHEARSAL_WORLD_H_
#define COMM_REHEARSAL_WORLD_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "comm/exchanging.h"
#include "comm/message.h"

namespace starling {

// One Exchange of one worker.
struct RehearsedExchange : Exchanging {
  RehearsedExchange(int rank, absl::Span<const Send> sends, absl::Span<const Receive> receives,
                    const ExchangeOptions& options)
      : Exchanging(rank, sends, receives, options), traffic(options.traffic) {}

  const Traffic traffic;
  int64_t asks = 0;     // calls of Done; the communicator makes the first by itself
  bool known = false;   // its worker knows that it is done ...
  bool asked = false;   // ... and how much has come
  std::string shorter;  // what came and has not filled its receive; else empty
};

// Only the worker whose turn it is touches any of this, and turns pass through a mutex, so nothing
// else is locked. Calls of `completed` are made by that worker too, in the name of others.
class RehearsalWorld {
 public:
  explicit RehearsalWorld(int workers)
      : turns_(workers), ended_(workers), waiting_(workers), asking_(workers) {}

  int size() const { return static_cast<int>(turns_.size()); }
  int64_t messages() const { return messages_; }

  // The first and the last call of every worker.
  void Begin(int rank) { AwaitTurn(rank); }
  void Finish(int rank, const absl::Status& status);

  // Between them: as Exchange and Work.
  absl::Status Post(RehearsedExchange* exchange);
  bool Done(RehearsedExchange* exchange);
  absl::Status Wait(RehearsedExchange* exchange);
  void Drop(RehearsedExchange* exchange);
  void Abort(absl::string_view reason) { Violate(reason); }

  // After all have ended.
  absl::Status result() const;

 private:
  // From whom to whom, and what. `from` is kAnyone for receives from anyone.
  struct Route {
    int from, to;
    MessageKey key;

    bool operator==(const Route& other) const {
      return from == other.from && to == other.to && key == other.key;
    }
  };
  struct RouteHash {
    size_t operator()(const Route& route) const;
  };
  static Route RouteOf(const RehearsedExchange& exchange, const Send& send) {
    return {exchange.rank, send.to, send.key};
  }
  static Route RouteOf(const RehearsedExchange& exchange, const Receive& receive) {
    return {receive.from, exchange.rank, receive.key};
  }

  // A send or a receive of an exchange.
  struct Port {
    RehearsedExchange* exchange = nullptr;  // null: there is none
    int index = 0;
  };
  // Both ends of a route, each until its worker knows that its part is done.
  struct Ends {
    Port send, receive;
  };

  void AwaitTurn(int rank);
  void GiveTurn(int rank);
  void LetOthersRun(int rank);
  int NextAfter(int rank);
  bool CanGoOn(int rank) const;

  void PostSend(RehearsedExchange* exchange, int index);
  void PostReceive(RehearsedExchange* exchange, int index);
  void Match(const Port& send, const Port& receive);
  void CallCompleted();
  void Know(RehearsedExchange* exchange);
  void Forget(const RehearsedExchange& exchange);

  void Violate(absl::string_view what);
  absl::Status Violation() const { return absl::FailedPreconditionError(*violation_); }
  void ViolateDeadlock(int* culprit);
  std::string Deadlock(int* culprit) const;
  void Lose(const RehearsedExchange& exchange);

  std::mutex mutex_;
  int turn_ = 0;                                // guarded by mutex_; its owner may read it
  std::vector<std::condition_variable> turns_;  // by rank

  std::vector<char> ended_;
  std::vector<const RehearsedExchange*> waiting_;  // by rank; null: it does not wait
  std::vector<const RehearsedExchange*> asking_;   // by rank: what it asked after last, in vain
  std::unordered_map<Route, Ends, RouteHash> routes_;
  std::unordered_map<Route, std::deque<Port>, RouteHash> from_anyone_;  // in order
  std::deque<RehearsedExchange*> completed_;                            // not called yet
  int posts_ = 0;                                                       // under way
  int64_t messages_ = 0;
  int64_t fruitless_asks_ = 0;            // since anything has happened
  std::optional<std::string> violation_;  // the first; then nobody goes on
  std::optional<std::string> lost_;       // what was dropped first; explains what comes of it
  absl::Status result_;                   // the first error of a worker
};

}  // namespace starling

#endif  // COMM_REHEARSAL_WORLD_H_
