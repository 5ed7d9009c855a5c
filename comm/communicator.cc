#include "comm/communicator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "comm/two_level_all_reduce.h"
#include "core/device/arena.h"
#include "core/status.h"

namespace starling {

namespace {

absl::Status CheckPeer(int peer, int size) {
  if (peer >= 0 && peer < size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("worker ", peer, " is not in this world of ", size, " workers"));
}

// A backend's work, with its waits and its end recorded.
class RecordedWork final : public Work {
 public:
  RecordedWork(Recorder* recorder, int64_t number, Traffic traffic)
      : recorder_(recorder), number_(number), traffic_(traffic) {}
  ~RecordedWork() override {
    work_.reset();
    recorder_->Ended(number_);
  }

  void set_work(std::unique_ptr<Work> work) {
    work_ = std::move(work);
    if (work_->Done()) recorder_->Ended(number_);
  }

  bool Done() override { return work_->Done(); }

  absl::Status Wait() override {
    if (work_->Done()) return work_->Wait();
    const bool counts = traffic_ == Traffic::kTraining;
    const Phase before = counts ? recorder_->Enter(Phase::kWait) : Phase::kOutside;
    recorder_->WaitBegins([this] { return work_->Missing(); });
    const absl::Status status = work_->Wait();
    recorder_->WaitEnds();
    if (counts) recorder_->Enter(before);
    return status;
  }

  absl::Span<const Arrival> arrivals() const override { return work_->arrivals(); }
  std::string Missing() const override { return work_->Missing(); }

 private:
  Recorder* recorder_;
  int64_t number_;
  Traffic traffic_;
  std::unique_ptr<Work> work_;
};

}  // namespace

size_t MessageKeyHash::operator()(const MessageKey& key) const {
  uint64_t hash = static_cast<uint64_t>(key.round) * 0x9e3779b97f4a7c15;
  hash ^=
      static_cast<uint64_t>(key.bucket) << 32 | static_cast<uint64_t>(key.stream) << 16 | key.part;
  return hash * 0xbf58476d1ce4e5b9 >> 7;
}

std::string ToString(const MessageKey& key) {
  return absl::StrCat("stream ", key.stream, ", round ", key.round, ", bucket ", key.bucket,
                      ", part ", key.part);
}

absl::StatusOr<std::unique_ptr<Work>> Communicator::Exchange(absl::Span<const Send> sends,
                                                             absl::Span<const Receive> receives,
                                                             const ExchangeOptions& options) {
  for (const Send& send : sends) RETURN_IF_ERROR(CheckPeer(send.to, size_));
  for (const Receive& receive : receives) {
    if (receive.from != kAnyone) RETURN_IF_ERROR(CheckPeer(receive.from, size_));
  }
  return Recorded(sends, receives, options, [&](const ExchangeOptions& inner) {
    return StartExchange(sends, receives, inner);
  });
}

absl::StatusOr<std::unique_ptr<Work>> Communicator::Recorded(absl::Span<const Send> sends,
                                                             absl::Span<const Receive> receives,
                                                             const ExchangeOptions& options,
                                                             Starter start) {
  const int64_t number = recorder_.Started(sends, receives, options.traffic);
  auto recorded = std::make_unique<RecordedWork>(&recorder_, number, options.traffic);
  ExchangeOptions inner = options;
  inner.completed = [this, number, then = options.completed] {
    recorder_.Ended(number);
    if (then) then();
  };
  ASSIGN_OR_RETURN(auto work, start(inner));
  recorded->set_work(std::move(work));
  return recorded;
}

absl::StatusOr<std::unique_ptr<Work>> Communicator::AllReduceSum(absl::Span<const int> group,
                                                                 MessageKey key, Buffer values,
                                                                 const ExchangeOptions& options) {
  return TwoLevelAllReduce(this, group, key, values, options);
}

absl::StatusOr<Buffer> Communicator::Allocate(int64_t count, DType type, Place place) {
  ASSIGN_OR_RETURN(Arena arena, MakeArena(count, type, place));
  allocated_.push_back(std::move(arena));
  return allocated_.back().buffer();
}

absl::StatusOr<Arena> Communicator::TakeScratch(int64_t count, DType type, Place place) {
  for (Arena& arena : scratch_) {
    const Buffer memory = arena.buffer();
    if (memory.count < count || memory.type != type || memory.place != place) continue;
    std::swap(arena, scratch_.back());
    Arena found = std::move(scratch_.back());
    scratch_.pop_back();
    return found;
  }
  return MakeArena(count, type, place);
}

void Communicator::ReturnScratch(Arena scratch) {
  if (!scratch.empty()) scratch_.push_back(std::move(scratch));
}

}  // namespace starling
