// Communicators: bytes between workers. One communicator per worker; a backend (backend.h) makes
// them. Everything is point to point, asynchronous and keyed; group sums are built on top, once,
// for every backend.
#ifndef COMM_COMMUNICATOR_H_
#define COMM_COMMUNICATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "comm/message.h"
#include "comm/recorder.h"
#include "comm/simulation.h"
#include "core/buffer.h"
#include "core/clock.h"

namespace starling {

// An exchange under way. Destroying it cancels what has not been matched yet. On a device it starts
// behind what the caller's current queue holds.
class Work {
 public:
  virtual ~Work() = default;

  // Whether Wait would return at once. May move the exchange on. By any thread.
  virtual bool Done() = 0;

  // Blocks until all sends have left their buffers and all receives have arrived; gives the
  // compute slot back meanwhile. DEADLINE_EXCEEDED names who waited for whom, and for which
  // message; ABORTED carries the reason for which another worker stopped.
  //
  // Buffers on a device: blocks until everybody has come; the rest waits on the device. Whatever
  // the caller's current queue (core/device/device.h) is given from then on finds all arrived.
  virtual absl::Status Wait() = 0;

  // One per Receive, in their order; valid once done, as long as the Work lives.
  virtual absl::Span<const Arrival> arrivals() const = 0;

  // What it still waits for, in words: "worker 2 to send stream 1, round 7, bucket 0, part 0". By
  // any thread.
  virtual std::string Missing() const = 0;
};

struct ExchangeOptions {
  absl::Duration deadline = absl::InfiniteDuration();  // from the call on
  Traffic traffic = Traffic::kTraining;

  // Called when all of it is done, by the thread that brought this about; not called if it is done
  // when Exchange returns, or if it fails. Destroying the Work waits for a call under way, so it
  // must not happen in one. What it calls must be short: another worker may be the one who waits.
  std::function<void()> completed;
};

// One worker's end of the world. Used by that worker's thread, and by `completed` calls in its
// name; Abort by any.
class Communicator {
 public:
  // `clock` is not owned.
  Communicator(int rank, int size, int workers_per_node, Clock* clock, Place place = Place::kHost)
      : rank_(rank),
        size_(size),
        workers_per_node_(workers_per_node),
        place_(place),
        clock_(clock),
        recorder_(rank, size, clock) {}
  virtual ~Communicator() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // As configured, not as placed: which workers count as one machine must not depend on where
  // they happen to run.
  int workers_per_node() const { return workers_per_node_; }

  // Where this worker's vectors lie: on kDevice its thread uses that card, and has a queue of its
  // own. kVirtual where there are no numbers (Simulation::time_only). Small things on the host may
  // be sent everywhere.
  Place place() const { return place_; }

  // This worker's time. Sleeping on it gives the compute slot back, as waiting does.
  Clock& clock() { return *clock_; }
  Recorder& recorder() { return recorder_; }
  const Recorder& recorder() const { return recorder_; }

  // Ends every exchange of every worker with ABORTED and this reason. The first reason stays.
  virtual void Abort(const absl::Status& reason) = 0;

  // Starts all sends and receives together. INVALID_ARGUMENT for a rank outside the world.
  // Recorded: bytes, times, and what a waiting worker waits for.
  absl::StatusOr<std::unique_ptr<Work>> Exchange(absl::Span<const Send> sends,
                                                 absl::Span<const Receive> receives,
                                                 const ExchangeOptions& options);

  // Starts replacing `values` on every member of `group` (sorted ranks, this one among them) by
  // the members' sum, of F32, F64, F16 or BF16. The order of additions depends on the group and on
  // workers_per_node only, so bits are equal on every backend, for every bucket size and timing.
  // `key.part` must be 0; parts 1 to 4 of the key are used. Moves on by itself, while its members
  // compute. Default: TwoLevelAllReduce on Exchange. `options.completed` is not called.
  virtual absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int> group,
                                                             MessageKey key, Buffer values,
                                                             const ExchangeOptions& options);

  // Memory that this communicator sends from and receives into fastest; lives as long as it.
  absl::StatusOr<Buffer> Allocate(int64_t count, DType type) {
    return Allocate(count, type, place_);
  }
  absl::StatusOr<Buffer> Allocate(int64_t count, DType type, Place place);

  // How long computing takes, where time is simulated; null where it takes what it takes.
  virtual Simulation* simulation() { return nullptr; }

  // Where the insides of operations are queued, beside what the worker computes; null on the host.
  virtual Queue* background_queue() { return nullptr; }

  // Memory for the inside of an operation, at least `count` elements, contents arbitrary; kept for
  // reuse when it is returned. What uses it on a device goes to the background queue.
  absl::StatusOr<Arena> TakeScratch(int64_t count, DType type, Place place);
  void ReturnScratch(Arena scratch);

  // Payload bytes that this worker has sent so far.
  int64_t bytes_sent(Traffic traffic) const { return recorder_.bytes_sent(traffic); }

 protected:
  // Exchange, as a backend implements it: ranks are legal, and nothing need be recorded.
  virtual absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                              absl::Span<const Receive> receives,
                                                              const ExchangeOptions& options) = 0;

  // Has `start` begin an exchange in which these are sent and received, and records it.
  using Starter =
      absl::FunctionRef<absl::StatusOr<std::unique_ptr<Work>>(const ExchangeOptions& options)>;
  absl::StatusOr<std::unique_ptr<Work>> Recorded(absl::Span<const Send> sends,
                                                 absl::Span<const Receive> receives,
                                                 const ExchangeOptions& options, Starter start);

 private:
  int rank_, size_, workers_per_node_;
  Place place_;
  Clock* clock_;
  Recorder recorder_;
  std::vector<Arena> allocated_;
  std::vector<Arena> scratch_;  // not in use
};

}  // namespace starling

#endif  // COMM_COMMUNICATOR_H_
