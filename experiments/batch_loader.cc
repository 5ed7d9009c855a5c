#include "experiments/batch_loader.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

class ReadNow final : public BatchLoader {
 public:
  explicit ReadNow(Read read) : read_(std::move(read)) {}

  absl::StatusOr<const Batch*> Next(int64_t step, int part) override {
    RETURN_IF_ERROR(read_(step, part, &batch_));
    return &batch_;
  }

 private:
  Read read_;
  Batch batch_;
};

// Where no more memory can be page-locked, copies are slower but right.
Arena PageLocked(int64_t count, DType type) {
  auto arena = MakePageLockedArena(count, type);
  return arena.ok() ? *std::move(arena) : Arena(count, type);
}

// Gives `to`, on the device, what `from` holds, on this thread's queue.
absl::Status Upload(const Batch& from, Batch* to) {
  to->size = from.size;
  to->fields.resize(from.fields.size());
  for (size_t f = 0; f < from.fields.size(); ++f) {
    BatchField& field = to->fields[f];
    const Buffer memory = from.fields[f].values.buffer();
    if (field.values.count() < memory.count || field.values.buffer().type != memory.type) {
      RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));  // nobody uses the old one any more
      ASSIGN_OR_RETURN(field.values, MakeArena(memory.count, memory.type, Place::kDevice));
    }
    field.shape = from.fields[f].shape;
    ops::Copy(from.fields[f].buffer(), field.buffer());
  }
  return absl::OkStatus();
}

// One of two batches that take turns.
struct Slot {
  bool Holds(int64_t its_step, int its_part) const { return step == its_step && part == its_part; }

  int64_t step = -1;  // -1: holds nothing
  int part = 0;
  Batch host, device;
  OwnedQueue queue;   // for copies from host to device
  QueuePoint copied;  // the copy is there
  QueuePoint used;    // nobody reads `device` any more
};

class ReadAhead final : public BatchLoader {
 public:
  static absl::StatusOr<std::unique_ptr<BatchLoader>> Create(Read read, int parts, int64_t steps) {
    auto loader = std::make_unique<ReadAhead>(std::move(read), parts, steps);
    for (Slot& slot : loader->slots_) {
      ASSIGN_OR_RETURN(slot.queue, OwnedQueue::New());
      slot.host.allocate = PageLocked;
    }
    return loader;
  }

  ReadAhead(Read read, int parts, int64_t steps)
      : read_(std::move(read)), parts_(parts), steps_(steps), card_(LinkedDevice()->CurrentCard()) {
    thread_ = std::thread([this] { ReadWhatIsAskedFor(); });
  }

  ~ReadAhead() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
    current_->used = QueuePoint::After(CurrentQueue());
    for (Slot& slot : slots_) {
      if (slot.queue.get() == nullptr) continue;  // it could not be made
      slot.used.HoldBack(slot.queue.get());
      LinkedDevice()->Wait(slot.queue.get()).IgnoreError();  // whoever used the batch tells
    }
  }

  absl::StatusOr<const Batch*> Next(int64_t step, int part) override {
    current_->used = QueuePoint::After(CurrentQueue());
    // What went wrong ahead of time is told when it is asked for: it is read again then.
    AwaitReading().IgnoreError();
    if (!ahead_->Holds(step, part)) {
      StartReading(step, part);
      RETURN_IF_ERROR(AwaitReading());
    }
    std::swap(current_, ahead_);
    const bool ends_step = part + 1 == parts_;
    if (!ends_step) {
      StartReading(step, part + 1);
    } else if (step + 1 < steps_) {
      StartReading(step + 1, 0);
    }
    current_->copied.HoldBack(CurrentQueue());
    return &current_->device;
  }

 private:
  // Has the thread read into `ahead_`, which is the thread's until AwaitReading.
  void StartReading(int64_t step, int part) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      reading_ = true;
      step_ = step;
      part_ = part;
    }
    changed_.notify_all();
  }

  absl::Status AwaitReading() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !reading_; });
    return status_;
  }

  void ReadWhatIsAskedFor() {
    const absl::Status usable = LinkedDevice()->UseCard(card_);
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return reading_ || ends_; });
      if (ends_) return;
      lock.unlock();
      const absl::Status status = usable.ok() ? Fill(step_, part_, ahead_) : usable;
      lock.lock();
      status_ = status;
      reading_ = false;
      changed_.notify_all();
    }
  }

  absl::Status Fill(int64_t step, int part, Slot* slot) {
    const QueueScope scope(slot->queue.get());
    slot->step = -1;
    RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));  // the last copy has left slot->host
    RETURN_IF_ERROR(read_(step, part, &slot->host));
    slot->used.HoldBack(CurrentQueue());
    RETURN_IF_ERROR(Upload(slot->host, &slot->device));
    slot->copied = QueuePoint::After(CurrentQueue());
    slot->step = step;
    slot->part = part;
    return absl::OkStatus();
  }

  const Read read_;
  const int parts_;
  const int64_t steps_;
  const int card_;
  Slot slots_[2];
  Slot* current_ = &slots_[0];  // handed out
  Slot* ahead_ = &slots_[1];

  std::mutex mutex_;
  std::condition_variable changed_;
  bool reading_ = false, ends_ = false;
  int64_t step_ = 0;  // what to read
  int part_ = 0;
  absl::Status status_;  // of the last reading
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::Create(Read read, int parts,
                                                                 int64_t steps, Place place) {
  if (place == Place::kDevice) return ReadAhead::Create(std::move(read), parts, steps);
  CHECK(place == Place::kHost) << "there is nothing to read where there are no numbers";
  return std::make_unique<ReadNow>(std::move(read));
}

}  // namespace starling
