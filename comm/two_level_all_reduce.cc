#include "comm/two_level_all_reduce.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/device/device.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// A direct sum over some members: each owns one chunk of `values`, adds it up and gives it back.
struct Level {
  std::vector<int> members;  // in the order of additions
  int me = 0;                // this worker's place among them
  Buffer values;

  Buffer Chunk(int index) const {
    const Range piece = PieceOf(values.count, static_cast<int>(members.size()), index);
    return values.Slice(piece.offset, piece.count);
  }
  Buffer MyChunk() const { return Chunk(me); }
  int64_t ScratchCount() const {
    return (static_cast<int64_t>(members.size()) - 1) * MyChunk().count;
  }
};

class TwoLevelWork final : public Work {
 public:
  TwoLevelWork(Communicator* comm, absl::Span<const int> group, MessageKey key, Buffer values,
               const ExchangeOptions& options)
      : comm_(comm), key_(key), options_(options) {
    const auto machines = MembersByMachine(group, comm->workers_per_node());
    for (size_t machine = 0; machine < machines.size(); ++machine) {
      const std::vector<int>& members = machines[machine];
      const auto me = std::find(members.begin(), members.end(), comm->rank());
      if (me == members.end()) continue;
      inside_ = {members, static_cast<int>(me - members.begin()), values};
      across_.me = static_cast<int>(machine);
    }
    CHECK(!inside_.members.empty()) << "worker " << comm->rank() << " is not in its group";
    for (const auto& members : machines) across_.members.push_back(members[inside_.me]);
    across_.values = inside_.MyChunk();
    if (values.place == Place::kDevice) queue_ = comm->background_queue();
  }

  ~TwoLevelWork() override {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      given_up_ = true;
      moved_.wait(lock, [this] { return !moving_; });
    }
    // Cancels receives into the scratch before others may use it; waits for `completed` calls.
    exchanges_.clear();
    comm_->ReturnScratch(std::move(scratch_));
  }

  absl::Status Start() {
    const int64_t scratch = std::max(inside_.ScratchCount(), across_.ScratchCount());
    const Buffer& values = inside_.values;
    ASSIGN_OR_RETURN(scratch_, comm_->TakeScratch(scratch, values.type, values.place));
    if (queue_ != nullptr) QueuePoint::After(CurrentQueue()).HoldBack(queue_);
    const QueueScope scope(QueueToUse());
    moving_ = again_ = true;  // before anybody else knows of this
    const absl::Status entered = Enter(kReduceInside);
    if (!entered.ok()) {
      std::lock_guard<std::mutex> lock(mutex_);
      moving_ = false;
      return entered;
    }
    Move();
    return absl::OkStatus();  // what became of later phases is told by Wait
  }

  bool Done() override {
    MoveOn();
    std::lock_guard<std::mutex> lock(mutex_);
    return !moving_ && ended();
  }

  absl::Status Wait() override {
    while (true) {
      MoveOn();
      Work* under_way;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        moved_.wait(lock, [this] { return !moving_; });
        if (ended()) {
          if (queue_ != nullptr) done_.HoldBack(CurrentQueue());
          return status_;
        }
        under_way = exchanges_.back().get();
      }
      const absl::Status status = under_way->Wait();
      if (status.ok()) continue;
      std::unique_lock<std::mutex> lock(mutex_);
      moved_.wait(lock, [this] { return !moving_; });
      status_.Update(status);
    }
  }

  absl::Span<const Arrival> arrivals() const override { return {}; }

  std::string Missing() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return moving_ || exchanges_.empty() ? "a sum" : exchanges_.back()->Missing();
  }

 private:
  enum Phase : uint16_t {
    kReduceInside = 1,
    kReduceAcross = 2,
    kGatherAcross = 3,
    kGatherInside = 4,
    kFinished = 5,
  };

  bool reduces() const { return phase_ == kReduceInside || phase_ == kReduceAcross; }
  const Level& level() const {
    return phase_ == kReduceInside || phase_ == kGatherInside ? inside_ : across_;
  }

  bool ended() const { return phase_ == kFinished || !status_.ok(); }

  // Ends phases whose exchanges are done and starts the next ones. One thread at a time moves; it
  // holds no lock, since an exchange that it starts may complete others' and so call them. Whoever
  // finds it moving leaves the rest to it.
  void MoveOn() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      again_ = true;
      if (moving_) return;
      moving_ = true;
    }
    const QueueScope scope(QueueToUse());
    Move();
  }

  // Whoever's thread this is, work on the device belongs to the same queue.
  Queue* QueueToUse() const { return queue_ != nullptr ? queue_ : CurrentQueue(); }

  void Move() {
    while (true) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!again_ || given_up_) {
          moving_ = false;
          moved_.notify_all();
          return;
        }
        again_ = false;
      }
      while (!ended() && exchanges_.back()->Done()) {
        status_ = exchanges_.back()->Wait();
        if (status_.ok() && reduces()) AddInOrder();
        // What a phase sends is written by none of them before all its sends are done.
        if (status_.ok()) status_ = Enter(static_cast<Phase>(phase_ + 1));
      }
    }
  }

  // Starts `phase`, or the first one after it in which this worker has a partner.
  absl::Status Enter(Phase phase) {
    phase_ = phase;
    while (phase_ != kFinished && level().members.size() == 1) {
      phase_ = static_cast<Phase>(phase_ + 1);
    }
    if (phase_ == kFinished) {
      if (queue_ != nullptr) done_ = QueuePoint::After(queue_);
      return absl::OkStatus();
    }
    std::vector<Send> sends;
    std::vector<Receive> receives;
    MessageKey key = key_;
    key.part = phase_;
    // Each begins with the member after itself: if all began with the first, its card would have to
    // receive everybody's share at once while the others' receive nothing.
    const int members = static_cast<int>(level().members.size());
    for (int k = 1; k < members; ++k) {
      const int i = (level().me + k) % members;
      const int peer = level().members[i];
      const Buffer mine = level().MyChunk();
      const Buffer theirs = level().Chunk(i);
      sends.push_back({peer, key, reduces() ? theirs : mine});
      receives.push_back({peer, key, reduces() ? Share(i) : theirs});
    }
    ExchangeOptions options = options_;
    options.completed = [this] { MoveOn(); };
    ASSIGN_OR_RETURN(auto exchange, comm_->Exchange(sends, receives, options));
    exchanges_.push_back(std::move(exchange));
    return absl::OkStatus();
  }

  // Where member i's share of this worker's chunk lies while it is added up.
  Buffer Share(int i) const {
    const Buffer mine = level().MyChunk();
    if (i == level().me) return mine;
    return scratch_.buffer().Slice((i < level().me ? i : i - 1) * mine.count, mine.count);
  }

  void AddInOrder() {
    std::vector<Source> terms;
    for (int i = 0; i < static_cast<int>(level().members.size()); ++i) {
      terms.push_back({1.0, Share(i)});
    }
    ops::WeightedSum(terms, level().MyChunk());
  }

  Communicator* comm_;
  MessageKey key_;
  ExchangeOptions options_;
  Level inside_;  // members on this machine, by rank; the whole vector
  Level across_;  // owners of this worker's chunk, by machine; that chunk
  Arena scratch_;
  Queue* queue_ = nullptr;  // for values on the device

  // Who moves owns these; the others while nobody does.
  Phase phase_ = kReduceInside;
  // One per phase so far. They are kept to the end: a `completed` call must not destroy its own.
  std::vector<std::unique_ptr<Work>> exchanges_;
  absl::Status status_;
  QueuePoint done_;  // once finished

  mutable std::mutex mutex_;
  std::condition_variable moved_;  // moving_ has become false
  bool moving_ = false;            // some thread moves
  bool again_ = false;             // there is more to look at
  bool given_up_ = false;
};

}  // namespace

std::vector<std::vector<int>> MembersByMachine(absl::Span<const int> group, int workers_per_node) {
  std::vector<std::vector<int>> machines;
  int last_machine = -1;
  for (int rank : group) {
    const int machine = rank / workers_per_node;
    if (machine != last_machine) machines.emplace_back();
    machines.back().push_back(rank);
    last_machine = machine;
  }
  for (const auto& members : machines) {
    if (members.size() != machines[0].size()) return {{group.begin(), group.end()}};
  }
  return machines;
}

Range PieceOf(int64_t count, int parts, int index) {
  const int64_t lines = (count + kTensorPadding - 1) / kTensorPadding;
  const int64_t begin = std::min(count, lines * index / parts * kTensorPadding);
  const int64_t end = std::min(count, lines * (index + 1) / parts * kTensorPadding);
  return {begin, end - begin};
}

absl::StatusOr<std::unique_ptr<Work>> TwoLevelAllReduce(Communicator* comm,
                                                        absl::Span<const int> group, MessageKey key,
                                                        Buffer values,
                                                        const ExchangeOptions& options) {
  CHECK(std::is_sorted(group.begin(), group.end()));
  CHECK_EQ(key.part, 0);
  auto work = std::make_unique<TwoLevelWork>(comm, group, key, values, options);
  RETURN_IF_ERROR(work->Start());
  return work;
}

}  // namespace starling
