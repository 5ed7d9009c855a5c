#include "comm/nccl/test_cards.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "core/status.h"
#include "glog/logging.h"

namespace starling {

// Passed once what it stands for has ended, and all points that it is made of have passed.
class TestCards::TestPoint final : public Carrier::Point,
                                   public std::enable_shared_from_this<TestPoint> {
 public:
  TestPoint(TestCards* cards, bool ended, std::vector<Carrier::PointPtr> parts)
      : cards_(cards), ended_(ended), parts_(std::move(parts)) {}

  bool passed() override {
    std::lock_guard<std::mutex> lock(cards_->mutex_);
    cards_->GoOn();
    return Passed();
  }

  // With the cards' mutex held, as End.
  bool Passed() {
    const auto passed = [](const Carrier::PointPtr& part) {
      return static_cast<TestPoint*>(part.get())->Passed();
    };
    parts_.erase(std::remove_if(parts_.begin(), parts_.end(), passed), parts_.end());
    return ended_ && parts_.empty();
  }
  void End() { ended_ = true; }

 private:
  TestCards* cards_;
  bool ended_;
  std::vector<Carrier::PointPtr> parts_;
};

class TestCards::TestCarrier final : public Carrier {
 public:
  TestCarrier(int rank, TestCards* cards) : rank_(rank), cards_(cards) {}

  PointPtr Here() override {
    std::lock_guard<std::mutex> lock(cards_->mutex_);
    const auto passed = [](const PointPtr& point) {
      return static_cast<TestPoint*>(point.get())->Passed();
    };
    queue_.erase(std::remove_if(queue_.begin(), queue_.end(), passed), queue_.end());
    return std::make_shared<TestPoint>(cards_, /*ended=*/true, queue_);
  }

  void HoldBack(Point* point) override {
    std::lock_guard<std::mutex> lock(cards_->mutex_);
    queue_.push_back(static_cast<TestPoint*>(point)->shared_from_this());
  }

  void Stop() override {
    std::lock_guard<std::mutex> lock(cards_->mutex_);
    stopped_ = true;
    cards_->changed_.notify_all();
  }

  absl::Status UseThread() override { return absl::OkStatus(); }
  absl::StatusOr<std::string> NewWorld() override { return std::string("a world"); }
  absl::Status Join(const std::string& world) override {
    CHECK_EQ(world, "a world");
    return absl::OkStatus();
  }

  absl::Status Make(const std::vector<int>& members) override {
    std::unique_lock<std::mutex> lock(cards_->mutex_);
    const size_t index = made_++;
    auto& all = cards_->communicators_;
    if (all.size() == index) all.push_back({members, 0});
    CHECK(all[index].first == members) << "made in different sequences";
    ++all[index].second;
    cards_->changed_.notify_all();
    return Await(&lock,
                 [&] { return all[index].second == static_cast<int>(cards_->given_.size()); });
  }

  absl::StatusOr<PointPtr> Move(int communicator, absl::Span<const Piece> sends,
                                absl::Span<const Piece> receives) override {
    std::unique_lock<std::mutex> lock(cards_->mutex_);
    Operation* const operation = Give(communicator);
    for (const Piece& piece : sends) {
      Meet(operation, {communicator, rank_, piece.peer, 0}, 2, piece, /*is_send=*/true);
    }
    for (const Piece& piece : receives) {
      Meet(operation, {communicator, piece.peer, rank_, 0}, 2, piece, /*is_send=*/false);
    }
    const PointPtr end = operation->end;
    const std::vector<Meeting*> meetings = operation->meetings;
    cards_->changed_.notify_all();
    RETURN_IF_ERROR(Await(&lock, [&] {
      return std::all_of(meetings.begin(), meetings.end(),
                         [](Meeting* meeting) { return meeting->arrived.size() == 2; });
    }));
    return end;
  }

  absl::StatusOr<PointPtr> Copy(const Piece& from, const Piece& to) override {
    std::unique_lock<std::mutex> lock(cards_->mutex_);
    Operation* const operation = Give(/*communicator=*/-1);
    Meet(operation, {-1, rank_, rank_, 0}, 2, from, /*is_send=*/true);
    Meet(operation, {-1, rank_, rank_, 0}, 2, to, /*is_send=*/false);
    return PointPtr(operation->end);
  }

  absl::StatusOr<PointPtr> Sum(int communicator, const Piece& values) override {
    std::unique_lock<std::mutex> lock(cards_->mutex_);
    Operation* const operation = Give(communicator);
    Meet(operation, {communicator, -1, -1, 0}, cards_->communicators_[communicator].first.size(),
         values, /*is_send=*/false);
    return PointPtr(operation->end);
  }

  absl::Status Check() override { return absl::OkStatus(); }
  void Close() override {}
  void Abort() override {}

 private:
  absl::Status Await(std::unique_lock<std::mutex>* lock, const std::function<bool()>& ready) {
    cards_->changed_.wait(*lock, [&] { return stopped_ || ready(); });
    return ready() ? absl::OkStatus() : absl::CancelledError("stopped");
  }

  Operation* Give(int communicator) {
    cards_->given_[rank_].emplace_back();
    Operation* const operation = &cards_->given_[rank_].back();
    operation->communicator = communicator;
    operation->end = std::make_shared<TestPoint>(cards_, /*ended=*/false, std::vector<PointPtr>());
    return operation;
  }

  // `key` without its turn.
  void Meet(Operation* operation, MeetingKey key, size_t parties, const Piece& piece,
            bool is_send) {
    std::get<3>(key) = turns_[{key, is_send}]++;
    Meeting* const meeting = &cards_->meetings_[key];
    meeting->parties = parties;
    meeting->arrived.insert(is_send ? meeting->arrived.begin() : meeting->arrived.end(),
                            {operation, piece.data});
    operation->meetings.push_back(meeting);
    operation->after.push_back(piece.after);
  }

  const int rank_;
  TestCards* cards_;
  std::vector<PointPtr> queue_;  // of the worker: what it waits for
  std::map<std::pair<MeetingKey, bool>, int64_t> turns_;
  size_t made_ = 0;
  bool stopped_ = false;
};

TestCards::TestCards(int cards, int most_at_once, uint64_t seed)
    : most_at_once_(most_at_once), random_(StreamKey(seed, Purpose::kTest, 0, 0)), given_(cards) {}

std::unique_ptr<Carrier> TestCards::NewCarrier(int rank) {
  return std::make_unique<TestCarrier>(rank, this);
}

void TestCards::Block(int card) {
  std::lock_guard<std::mutex> lock(mutex_);
  blocked_ = card;
}

bool TestCards::idle() {
  std::lock_guard<std::mutex> lock(mutex_);
  GoOn();
  return std::all_of(given_.begin(), given_.end(),
                     [](const std::list<Operation>& given) { return given.empty(); });
}

void TestCards::GoOn() {
  BeginSome();
  bool moves = true;
  while (moves) {
    moves = false;
    for (auto& [key, meeting] : meetings_) moves = Hold(&meeting) || moves;
    moves = EndSome() || moves;
  }
}

void TestCards::BeginSome() {
  for (std::list<Operation>& given : given_) {
    if (blocked_ >= 0 && &given == &given_[blocked_]) continue;
    std::set<int> streams;  // that are occupied
    int at_once = 0;
    for (Operation& operation : given) {
      if (at_once++ == most_at_once_) break;
      const bool is_first = streams.insert(operation.communicator).second;
      if (operation.began || !is_first || random_.Below(2) == 0) continue;
      operation.began = std::all_of(operation.after.begin(), operation.after.end(),
                                    [](const Carrier::PointPtr& point) {
                                      return static_cast<TestPoint*>(point.get())->Passed();
                                    });
    }
  }
}

bool TestCards::Hold(Meeting* meeting) {
  if (meeting->done || meeting->arrived.size() < meeting->parties) return false;
  for (const auto& [operation, buffer] : meeting->arrived) {
    if (!operation->began) return false;
  }
  const std::vector<std::pair<Operation*, Buffer>>& arrived = meeting->arrived;
  const Buffer& first = arrived[0].second;
  if (first.type == DType::kByte) {  // a message
    const Buffer& into = arrived[1].second;
    CHECK_EQ(first.count, into.count) << "ends of different messages have met";
    std::memcpy(into.data, first.data, static_cast<size_t>(first.count));
  } else {
    for (int64_t i = 0; i < first.count; ++i) {
      float sum = 0;
      for (const auto& [operation, values] : arrived) {
        sum += static_cast<const float*>(values.data)[i];
      }
      for (const auto& [operation, values] : arrived) static_cast<float*>(values.data)[i] = sum;
    }
  }
  return meeting->done = true;
}

bool TestCards::EndSome() {
  bool some = false;
  for (std::list<Operation>& given : given_) {
    for (auto operation = given.begin(); operation != given.end();) {
      const auto done = [](const Meeting* meeting) { return meeting->done; };
      if (std::all_of(operation->meetings.begin(), operation->meetings.end(), done)) {
        operation->end->End();
        operation = given.erase(operation);
        some = true;
      } else {
        ++operation;
      }
    }
  }
  return some;
}

}  // namespace starling
