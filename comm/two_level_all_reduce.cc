#include "comm/two_level_all_reduce.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// Members of the group by machine; one row with all members if the machines' shares differ.
std::vector<std::vector<int>> ByMachine(absl::Span<const int> group, int workers_per_node) {
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

// A direct sum over some members: each owns one chunk of `values`, adds it up and gives it back.
struct Level {
  std::vector<int> members;  // in the order of additions
  int me = 0;                // this worker's place among them
  Buffer values;

  Buffer Chunk(int index) const {
    const int64_t parts = static_cast<int64_t>(members.size());
    const int64_t lines = (values.count + kTensorPadding - 1) / kTensorPadding;
    const int64_t begin = std::min(values.count, lines * index / parts * kTensorPadding);
    const int64_t end = std::min(values.count, lines * (index + 1) / parts * kTensorPadding);
    return values.Slice(begin, end - begin);
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
    const auto machines = ByMachine(group, comm->workers_per_node());
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
    scratch_ =
        comm->TakeScratch(std::max(inside_.ScratchCount(), across_.ScratchCount()), values.type);
  }

  ~TwoLevelWork() override {
    inner_.reset();  // cancels receives into the scratch before others may use it
    comm_->ReturnScratch(std::move(scratch_));
  }

  absl::Status Start() { return Enter(kReduceInside); }

  bool Done() override {
    while (phase_ != kFinished && status_.ok() && inner_->Done()) status_ = Advance();
    return phase_ == kFinished || !status_.ok();
  }

  absl::Status Wait() override {
    while (phase_ != kFinished && status_.ok()) status_ = Advance();
    return status_;
  }

  absl::Span<const Arrival> arrivals() const override { return {}; }

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

  // Waits for the phase under way, adds what came, and starts the next phase. What a phase sends
  // is written by none of them before all its sends are done.
  absl::Status Advance() {
    RETURN_IF_ERROR(inner_->Wait());
    inner_.reset();
    if (reduces()) AddInOrder();
    return Enter(static_cast<Phase>(phase_ + 1));
  }

  // Starts `phase`, or the first one after it in which this worker has a partner.
  absl::Status Enter(Phase phase) {
    phase_ = phase;
    while (phase_ != kFinished && level().members.size() == 1) {
      phase_ = static_cast<Phase>(phase_ + 1);
    }
    if (phase_ == kFinished) return absl::OkStatus();
    std::vector<Send> sends;
    std::vector<Receive> receives;
    MessageKey key = key_;
    key.part = phase_;
    for (int i = 0; i < static_cast<int>(level().members.size()); ++i) {
      if (i == level().me) continue;
      const int peer = level().members[i];
      const Buffer mine = level().MyChunk();
      const Buffer theirs = level().Chunk(i);
      sends.push_back({peer, key, reduces() ? theirs : mine});
      receives.push_back({peer, key, reduces() ? Share(i) : theirs});
    }
    ASSIGN_OR_RETURN(inner_, comm_->Exchange(sends, receives, options_));
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
  Phase phase_ = kReduceInside;
  std::unique_ptr<Work> inner_;
  absl::Status status_;
};

}  // namespace

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
