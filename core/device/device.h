// An accelerator: memory, queues of work, and the twins of core/ops.
//
// A program has one if it links //core/device/cuda (built with --config=cuda) and finds a card;
// nobody else needs to know which. Work on a device is ordered by queues (CUDA streams): what one
// thread starts goes to that thread's current queue, one thing after the other, and the call
// returns before it is done. Only what returns a number to the host waits.
#ifndef CORE_DEVICE_DEVICE_H_
#define CORE_DEVICE_DEVICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"

namespace starling {

// A place in a queue, with what was in it before (a CUDA event).
struct Event;

// How what lies on one card gets to another one.
struct CardLink {
  enum class Kind { kThroughHost, kDirect, kNvLink };
  int a = 0, b = 0;  // a < b
  Kind kind = Kind::kThroughHost;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual int cards() const = 0;  // one at least

  // Chooses the card of the calling thread, from 0. INVALID_ARGUMENT names how many there are.
  virtual absl::Status UseCard(int card) = 0;
  virtual int CurrentCard() const = 0;          // of the calling thread; 0 if it has chosen none
  virtual std::string Description() const = 0;  // cards, driver and runtime, a line each
  virtual std::vector<CardLink> Links() const = 0;  // of every pair of cards

  // Zeroed, aligned to 256 bytes. RESOURCE_EXHAUSTED says how much was asked for and is free.
  virtual absl::StatusOr<void*> Allocate(int64_t bytes) = 0;
  virtual void Free(void* memory) = 0;

  // Page-locked memory of the host, zeroed, from and to which Copy runs beside the host's own work.
  virtual absl::StatusOr<void*> AllocateOnHost(int64_t bytes) = 0;
  virtual void FreeOnHost(void* memory) = 0;

  virtual absl::StatusOr<Queue*> NewQueue() = 0;
  virtual void DeleteQueue(Queue* queue) = 0;

  // A new event behind what `queue` holds now; and: what `queue` is given from now on waits until
  // `event` has passed. QueuePoint below deletes for you.
  virtual Event* Record(Queue* queue) = 0;
  virtual void HoldBack(Queue* queue, Event* event) = 0;
  virtual bool HasPassed(Event* event) = 0;  // without waiting
  virtual absl::Status WaitFor(Event* event) = 0;
  virtual void DeleteEvent(Event* event) = 0;

  // Waits for everything in `queue`. What went wrong on the device since the last call is told
  // here, and by WaitFor: INTERNAL, with CUDA's own words.
  virtual absl::Status Wait(Queue* queue) = 0;

  // Copies between host and device memory, or within the device.
  virtual void Copy(const void* from, void* to, int64_t bytes, Queue* queue) = 0;
  virtual void Zero(void* memory, int64_t bytes, Queue* queue) = 0;

  // As the functions of core/ops/ops.h, to the bit where they work element by element; reductions
  // add in an order of their own, which is always the same. Buffers are kDevice, checked by
  // core/ops.
  virtual void WeightedSum(absl::Span<const Source> sources, Buffer out, Queue* queue) = 0;
  virtual void Convert(Buffer from, Buffer to, Queue* queue) = 0;
  virtual void Axpy(double a, Buffer x, Buffer y, Queue* queue) = 0;
  virtual void Scale(double a, Buffer x, Queue* queue) = 0;
  virtual void Mul(Buffer x, Buffer y, Queue* queue) = 0;
  virtual void Add(Buffer x, Buffer y, Queue* queue) = 0;
  virtual double Dot(Buffer x, Buffer y, Queue* queue) = 0;
  virtual double SquaredDistance(Buffer x, Buffer y, Queue* queue) = 0;
  virtual bool AllFinite(Buffer x, Queue* queue) = 0;
  virtual void ScaleOrZero(double a, Buffer x, Buffer bad, Queue* queue) = 0;
  virtual void RandomMask(uint64_t stream, uint32_t limit, double kept, Buffer mask,
                          Queue* queue) = 0;  // core/ops/random_mask.h

  // For core/ops/norm_clip.h; no host waits. sums[r] <- the sum of the squares of piece r of x;
  // `pieces`: offset and count of each in turn, of at most NormClip::kPiece elements.
  virtual void SumsOfSquares(Buffer x, Buffer pieces, Buffer sums, Queue* queue) = 0;
  // Where norm = sqrt(the sum of `sums`) > limit: x <- (limit / norm) x.
  virtual void ScaleToNorm(double limit, Buffer sums, Buffer x, Queue* queue) = 0;
};

// The device of this program; null: it links none, or this machine has no card.
Device* LinkedDevice();

// Whether this program links one, whatever the machine has.
bool HasDeviceLibrary();

// What the library was built with, "CUDA 13.0"; empty: this program links none.
absl::string_view DeviceLibrary();

// OK, or why LinkedDevice() is null.
absl::Status DeviceStatus();

// The card that a config's `device` names: "cuda:1" names card 1; absent: "cpu".
// INVALID_ARGUMENT for other words, FAILED_PRECONDITION where this program has no device or this
// machine no card.
absl::StatusOr<std::optional<int>> CardNamed(absl::string_view device);

// Before main, by the device's own library; `built_with` is not copied. `make` is called once, when
// a device is first asked for, and says why there is none.
bool LinkDevice(const char* built_with, absl::StatusOr<Device*> (*make)());

// The queue that this thread's work goes to; null: the device's default queue.
Queue* CurrentQueue();

// While it lives, this thread's work goes to `queue`.
class QueueScope {
 public:
  explicit QueueScope(Queue* queue);
  ~QueueScope();
  QueueScope(const QueueScope&) = delete;
  QueueScope& operator=(const QueueScope&) = delete;

 private:
  Queue* const before_;
};

// A queue of the card that the thread uses when it makes one.
class OwnedQueue {
 public:
  static absl::StatusOr<OwnedQueue> New();  // CHECK-fails without a device

  OwnedQueue() = default;  // none: null
  ~OwnedQueue() {
    if (queue_ != nullptr) LinkedDevice()->DeleteQueue(queue_);
  }
  OwnedQueue(OwnedQueue&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
  OwnedQueue& operator=(OwnedQueue&& other) noexcept {
    std::swap(queue_, other.queue_);
    return *this;
  }

  Queue* get() const { return queue_; }

 private:
  explicit OwnedQueue(Queue* queue) : queue_(queue) {}
  Queue* queue_ = nullptr;
};

// A place in a queue: what other queues, or the host, may wait for without waiting for what comes
// behind it.
class QueuePoint {
 public:
  // Behind what `queue` holds now.
  static QueuePoint After(Queue* queue) { return QueuePoint(LinkedDevice()->Record(queue)); }

  QueuePoint() = default;  // before everything: holds nobody back
  ~QueuePoint() {
    if (event_ != nullptr) LinkedDevice()->DeleteEvent(event_);
  }
  QueuePoint(QueuePoint&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  QueuePoint& operator=(QueuePoint&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }

  // What `queue` is given from now on waits for this point.
  void HoldBack(Queue* queue) const {
    if (event_ != nullptr) LinkedDevice()->HoldBack(queue, event_);
  }
  bool passed() const { return event_ == nullptr || LinkedDevice()->HasPassed(event_); }
  // The host waits for it; errors are the device's.
  absl::Status Wait() const {
    return event_ == nullptr ? absl::OkStatus() : LinkedDevice()->WaitFor(event_);
  }

 private:
  explicit QueuePoint(Event* event) : event_(event) {}
  Event* event_ = nullptr;
};

}  // namespace starling

#endif  // CORE_DEVICE_DEVICE_H_
