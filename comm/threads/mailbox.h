// The in-process post office: matches sends with receives between threads and copies once, from
// the sender's buffer into the receiver's. Between buffers on a device it queues the copy, behind
// what both sides had queued when they posted, and leaves the waiting to the device.
//
// Built on what ThreadSanitizer understands: on std::mutex, not on Debian's absl::Mutex, and
// threads share no absl::Status, whose reference count it cannot see.
#ifndef COMM_THREADS_MAILBOX_H_
#define COMM_THREADS_MAILBOX_H_

#include <condition_variable>
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

namespace starling {

// At most `slots` workers compute at a time; a worker that waits for others gives its slot back,
// so any number of workers runs on any number of cores.
class ComputeSlots {
 public:
  explicit ComputeSlots(int slots) : free_(slots) {}
  void Acquire();
  void Release();

 private:
  std::mutex mutex_;
  std::condition_variable available_;
  int free_;
};

// An Exchanging is owned jointly by its Work and by the mailbox's queues.
class Mailbox {
 public:
  explicit Mailbox(int workers) : boxes_(workers), wakeups_(workers) {}

  // Posts all of it; matches what can be matched and copies that now.
  void Post(const std::shared_ptr<Exchanging>& exchange);

  // Returns whether all of it is done, or the world was aborted.
  bool Done(const Exchanging& exchange);

  // Blocks until it is done, its patience (from Post on) is at an end, or the world was aborted.
  // `slots`: one is given back while blocked.
  absl::Status Wait(const Exchanging& exchange, ComputeSlots* slots);

  // What is missing, in words.
  std::string Missing(const Exchanging& exchange);

  // Takes back what is not matched; returns when no copy touches its buffers any more and no call
  // of `completed` is under way. Must come before the buffers go, and before `exchange` is
  // forgotten.
  void Cancel(const std::shared_ptr<Exchanging>& exchange);

  // Ends all waiting, now and later, with ABORTED and the first reason given.
  void Abort(const absl::Status& reason);

 private:
  struct Waiter {
    std::shared_ptr<Exchanging> exchange;
    int index;  // of the send or the receive
  };
  // What waits for a partner, by key. For a destination: sends to it and receives of it.
  struct Waiting {
    std::list<Waiter> sends, receives;
  };
  using Box = std::unordered_map<MessageKey, Waiting, MessageKeyHash>;

  struct Match {
    std::shared_ptr<Exchanging> sender, receiver;
    int send, receive;
  };

  void PostSend(const std::shared_ptr<Exchanging>& exchange, int index,
                std::vector<Match>* matches);
  void PostReceive(const std::shared_ptr<Exchanging>& exchange, int index,
                   std::vector<Match>* matches);
  void Copy(const Match& match, std::unique_lock<std::mutex>* lock);
  static std::shared_ptr<const QueuePoint> CopyOnDevice(const Match& match);
  // One copy of `side` is done; `last`: all of it is.
  void Finish(Exchanging* side, bool last, std::unique_lock<std::mutex>* lock);
  static void RemoveFrom(Box* box, const MessageKey& key, const Exchanging* exchange);

  std::mutex mutex_;
  std::vector<Box> boxes_;                        // by destination
  std::vector<std::condition_variable> wakeups_;  // by worker
  std::optional<std::string> aborted_;            // the reason
};

}  // namespace starling

#endif  // COMM_THREADS_MAILBOX_H_
