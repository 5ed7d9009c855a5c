// An exchange under way, as backends keep it: what is to be sent and received, and what is done.
#ifndef COMM_EXCHANGING_H_
#define COMM_EXCHANGING_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/device/device.h"

namespace starling {

// What a message waits for, in words: "worker 2 to take stream 1, round 7, bucket 0, part 0",
// "worker 3 to send ...", "anyone to send ...".
std::string Wanted(const Send& send);
std::string Wanted(const Receive& receive);

struct Exchanging {
  Exchanging(int rank, absl::Span<const Send> sends, absl::Span<const Receive> receives,
             const ExchangeOptions& options);

  // Message `index` of `sends` or `receives` is done. True: it was the last one.
  bool Sent(int index);
  bool Received(int index, const Arrival& arrival);

  // Notes that a message was longer than its receive, which ends the exchange with INTERNAL.
  void TooLong(int index, int from, int64_t bytes);

  // All that is wanted, receives first: "worker 2 to send ...; worker 3 to take ...".
  std::string Missing() const;

  bool overdue() const { return std::chrono::steady_clock::now() >= deadline; }

  // What Wait returns: when all is done; when it is overdue.
  absl::Status Result() const;
  absl::Status TimedOut() const;

  const int rank;
  const std::vector<Send> sends;
  const std::vector<Receive> receives;
  const std::function<void()> completed;  // as ExchangeOptions::completed; may be empty
  const absl::Duration patience;
  const std::chrono::steady_clock::time_point deadline;  // max(): none

  // Of buffers on a device: where the receiver's copies are queued, and from when on this side's
  // buffers may be used.
  Queue* queue = nullptr;
  QueuePoint ready;

  // What follows is guarded by the backend's mutex.
  std::vector<Arrival> arrivals;
  std::vector<bool> sent, received;
  int open;             // messages that are not done
  int busy = 0;         // copies and calls of `completed` under way: buffers must stay
  bool posting = true;  // Exchange has not returned yet
  bool cancelled = false;
  std::vector<std::shared_ptr<const QueuePoint>> copied;  // device copies under way
  std::string error;  // of a message longer than its receive; else empty
};

}  // namespace starling

#endif  // COMM_EXCHANGING_H_
