#include "comm/nccl/pretend_carrier.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "comm/nccl/queue_carrier.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/status.h"

namespace starling {

class PretendWorld::PretendCarrier final : public QueueCarrier {
 public:
  PretendCarrier(int rank, PretendWorld* world)
      : QueueCarrier(/*card=*/0), rank_(rank), world_(world), copies_(*OwnedQueue::New()) {}

  void Stop() override {
    std::lock_guard<std::mutex> lock(world_->mutex_);
    stopped_ = true;
    world_->changed_.notify_all();
  }

  absl::StatusOr<std::string> NewWorld() override { return std::string("pretended"); }
  absl::Status Join(const std::string&) override { return absl::OkStatus(); }

  absl::Status Make(const std::vector<int>& members) override {
    std::lock_guard<std::mutex> lock(world_->mutex_);
    if (world_->communicators_.size() == queues_.size()) world_->communicators_.push_back(members);
    CHECK(world_->communicators_[queues_.size()] == members);
    queues_.push_back(*OwnedQueue::New());
    return absl::OkStatus();
  }

  absl::StatusOr<PointPtr> Move(int communicator, absl::Span<const Piece> sends,
                                absl::Span<const Piece> receives) override {
    std::unique_lock<std::mutex> lock(world_->mutex_);
    Queue* const queue = queues_[communicator].get();
    std::vector<const Meeting*> meetings;
    for (const Piece& piece : sends) {
      meetings.push_back(
          Meet({communicator, rank_, piece.peer, 0}, {piece, queue}, 2, /*is_send=*/true));
    }
    for (const Piece& piece : receives) {
      meetings.push_back(
          Meet({communicator, piece.peer, rank_, 0}, {piece, queue}, 2, /*is_send=*/false));
    }
    RETURN_IF_ERROR(AwaitAll(&lock, meetings));
    return PointAfter(queue);
  }

  absl::StatusOr<PointPtr> Copy(const Piece& from, const Piece& to) override {
    HoldBackFor({from, to}, copies_.get());
    LinkedDevice()->Copy(from.data.data, to.data.data, from.data.bytes(), copies_.get());
    return PointAfter(copies_.get());
  }

  absl::StatusOr<PointPtr> Sum(int communicator, const Piece& values) override {
    std::unique_lock<std::mutex> lock(world_->mutex_);
    Queue* const queue = queues_[communicator].get();
    const Meeting* const meeting =
        Meet({communicator, -1, -1, 0}, {values, queue},
             world_->communicators_[communicator].size(), /*is_send=*/false);
    RETURN_IF_ERROR(AwaitAll(&lock, {meeting}));
    return PointAfter(queue);
  }

  absl::Status Check() override { return absl::OkStatus(); }
  void Close() override {}
  void Abort() override {}

 private:
  absl::Status AwaitAll(std::unique_lock<std::mutex>* lock,
                        const std::vector<const Meeting*>& meetings) {
    const auto ready = [&] {
      return std::all_of(meetings.begin(), meetings.end(),
                         [](const Meeting* meeting) { return meeting->done; });
    };
    world_->changed_.wait(*lock, [&] { return stopped_ || ready(); });
    return ready() ? absl::OkStatus() : absl::CancelledError("stopped");
  }

  // `key` without its turn. Whoever comes last puts the work into the queues.
  const Meeting* Meet(MeetingKey key, const Arrived& own, size_t parties, bool is_send) {
    std::get<3>(key) = turns_[{key, is_send}]++;
    Meeting* const meeting = &world_->meetings_[key];
    std::vector<Arrived>& arrived = meeting->arrived;
    arrived.insert(is_send ? arrived.begin() : arrived.end(), own);
    if (arrived.size() < parties) return meeting;
    Queue* const queue = arrived.back().queue;
    std::vector<Source> terms;
    for (const Arrived& one : arrived) {
      HoldBack(one.piece.after.get(), queue);
      terms.push_back({1.0, one.piece.data});
    }
    const QueueScope scope(queue);
    if (std::get<1>(key) < 0) {
      ops::WeightedSum(terms, arrived[0].piece.data);
      for (size_t i = 1; i < parties; ++i) ops::Copy(arrived[0].piece.data, arrived[i].piece.data);
    } else {
      ops::Copy(arrived[0].piece.data, arrived[1].piece.data);
    }
    const PointPtr end = PointAfter(queue);
    for (const Arrived& one : arrived) {
      if (one.queue != queue) HoldBack(end.get(), one.queue);
    }
    meeting->done = true;
    world_->changed_.notify_all();
    return meeting;
  }

  const int rank_;
  PretendWorld* world_;
  OwnedQueue copies_;
  std::vector<OwnedQueue> queues_;  // by communicator
  std::map<std::pair<MeetingKey, bool>, int64_t> turns_;
  bool stopped_ = false;
};

std::unique_ptr<Carrier> PretendWorld::NewCarrier(int rank) {
  return std::make_unique<PretendCarrier>(rank, this);
}

}  // namespace starling
