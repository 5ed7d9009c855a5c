// Communicators: bytes between workers. One communicator per worker; a backend (backend.h) makes
// them. Everything is point to point, asynchronous and keyed; group sums are built on top, once,
// for every backend.
#ifndef COMM_COMMUNICATOR_H_
#define COMM_COMMUNICATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/clock.h"

namespace starling {

// Names one message between two workers. While it is under way, no other message between the same
// two workers in the same direction may have the same key.
struct MessageKey {
  uint16_t stream = 0;  // whose: one number per mixer, collective user, ...
  int64_t round = 0;
  int32_t bucket = 0;
  uint16_t part = 0;  // several vectors of a bucket, phases of a collective
};

inline bool operator==(const MessageKey& a, const MessageKey& b) {
  return a.stream == b.stream && a.round == b.round && a.bucket == b.bucket && a.part == b.part;
}

// "stream 1, round 7, bucket 0, part 2".
std::string ToString(const MessageKey& key);

inline constexpr int kAnyone = -1;

struct Send {
  int to = 0;
  MessageKey key;
  Buffer data;  // must stay unchanged until the Work is done
};

struct Receive {
  int from = 0;  // or kAnyone: the first that comes with this key
  MessageKey key;
  Buffer into;  // count is a capacity
};

// What came for one Receive.
struct Arrival {
  int from = 0;
  int64_t count = 0;
};

// An exchange under way. Destroying it cancels what has not been matched yet.
class Work {
 public:
  virtual ~Work() = default;

  // Whether Wait would return at once. May move the exchange on.
  virtual bool Done() = 0;

  // Blocks until all sends have left their buffers and all receives have arrived; gives the
  // compute slot back meanwhile. DEADLINE_EXCEEDED names who waited for whom, and for which
  // message; ABORTED carries the reason for which another worker stopped.
  virtual absl::Status Wait() = 0;

  // Makes what is queued on `queue` from now on wait, instead of the caller. On the host: Wait.
  virtual absl::Status WaitOn(Queue* queue);

  // One per Receive, in their order; valid once done, as long as the Work lives.
  virtual absl::Span<const Arrival> arrivals() const = 0;
};

// Measurements (consensus distance, evaluation) are counted apart from training.
enum class Traffic { kTraining, kMeasurement };

struct ExchangeOptions {
  absl::Duration deadline = absl::InfiniteDuration();  // from the call on
  Traffic traffic = Traffic::kTraining;
  Queue* after = nullptr;  // starts when what is queued there now has run
};

// One worker's end of the world. Used by that worker's thread only; Abort by any.
class Communicator {
 public:
  Communicator(int rank, int size, int workers_per_node)
      : rank_(rank), size_(size), workers_per_node_(workers_per_node) {}
  virtual ~Communicator() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // As configured, not as placed: which workers count as one machine must not depend on where
  // they happen to run.
  int workers_per_node() const { return workers_per_node_; }

  virtual Clock& clock() = 0;

  // Ends every exchange of every worker with ABORTED and this reason. The first reason stays.
  virtual void Abort(const absl::Status& reason) = 0;

  // Starts all sends and receives together. INVALID_ARGUMENT for a rank outside the world.
  virtual absl::StatusOr<std::unique_ptr<Work>> Exchange(absl::Span<const Send> sends,
                                                         absl::Span<const Receive> receives,
                                                         const ExchangeOptions& options) = 0;

  // Starts replacing `values` on every member of `group` (sorted ranks, this one among them) by
  // the members' sum, of F32, F64, F16 or BF16. The order of additions depends on the group and on
  // workers_per_node only, so bits are equal on every backend, for every bucket size and timing.
  // `key.part` must be 0; parts 1 to 4 of the key are used. Such a work may move on in its own Done
  // and Wait only, so all members must wait for their sums in the same order. Default:
  // TwoLevelAllReduce on Exchange.
  virtual absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int> group,
                                                             MessageKey key, Buffer values,
                                                             const ExchangeOptions& options);

  // Memory that this communicator sends from and receives into fastest; lives as long as it.
  virtual absl::StatusOr<Buffer> Allocate(int64_t count, DType type);

  // Memory for the inside of an operation, at least `count` elements, contents arbitrary; kept for
  // reuse when it is returned.
  Arena TakeScratch(int64_t count, DType type);
  void ReturnScratch(Arena scratch);

  // Payload bytes that this worker has sent so far.
  int64_t bytes_sent(Traffic traffic) const { return bytes_sent_[static_cast<int>(traffic)]; }

 protected:
  void CountSent(int64_t bytes, Traffic traffic) {
    bytes_sent_[static_cast<int>(traffic)] += bytes;
  }

 private:
  int rank_, size_, workers_per_node_;
  int64_t bytes_sent_[2] = {0, 0};
  std::vector<Arena> allocated_;
  std::vector<Arena> scratch_;  // not in use
};

}  // namespace starling

#endif  // COMM_COMMUNICATOR_H_
