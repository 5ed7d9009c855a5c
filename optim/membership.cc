#include "optim/membership.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/status.h"
#include "glog/logging.h"
#include "topology/analysis.h"
#include "topology/topology.h"

namespace starling {
namespace {

constexpr uint16_t kHandOverStream = 0xfffe;

// Sends all state that it is shown, or receives it in its place.
class HandOver final : public StateVisitor {
 public:
  enum class Direction { kOut, kIn };
  HandOver(const Worker& worker, int other, Direction direction)
      : worker_(worker), other_(other), direction_(direction) {}

  absl::Status Visit(absl::string_view, Buffer state) override {
    if (state.count == 0) return absl::OkStatus();
    const MessageKey key{kHandOverStream, next_++, 0, 0};
    ExchangeOptions options;
    options.deadline = worker_.mixing.deadline;
    options.traffic = Traffic::kMeasurement;
    std::vector<Send> sends;
    std::vector<Receive> receives;
    if (direction_ == Direction::kOut) sends.push_back({other_, key, state});
    if (direction_ == Direction::kIn) receives.push_back({other_, key, state});
    ASSIGN_OR_RETURN(auto work, worker_.comm->Exchange(sends, receives, options));
    return work->Wait();
  }

  absl::Status VisitBytes(absl::string_view name, std::string* state) override {
    int64_t size = static_cast<int64_t>(state->size());
    RETURN_IF_ERROR(Visit(name, AsBuffer(absl::MakeSpan(&size, 1))));
    state->resize(size);
    return Visit(name, Buffer{state->data(), size, DType::kByte, Place::kHost});
  }

 private:
  const Worker& worker_;
  int other_;
  Direction direction_;
  int64_t next_ = 0;
};

bool AreNeighbours(int a, int b, const std::vector<MixingRound>& rounds) {
  for (const MixingRound& round : rounds) {
    for (const Edge& edge : round.in(a)) {
      if (edge.from == b) return true;
    }
  }
  return false;
}

}  // namespace

int GiverTo(int worker, const Membership& before, const Membership& after) {
  std::vector<MixingRound> rounds;
  if (after.topology != nullptr) rounds = PeriodOf(*after.topology);
  int giver = -1;
  for (int rank : after.living()) {
    if (!before.alive[rank]) continue;
    if (AreNeighbours(worker, rank, rounds)) return rank;
    if (giver < 0) giver = rank;
  }
  CHECK_GE(giver, 0) << "nobody was alive before";
  return giver;
}

absl::Status ChangeMembership(const Membership& before, const Membership& after,
                              const Worker& worker, Algorithm* algorithm, Buffer x, Buffer g,
                              const std::function<absl::Status(StateVisitor*)>& model_state) {
  const int self = worker.id;
  if (before.alive[self]) RETURN_IF_ERROR(algorithm->Quiesce());
  if (!after.alive[self]) return absl::OkStatus();
  if (before.alive[self]) RETURN_IF_ERROR(algorithm->OnMembership(after));
  for (int returning : after.living()) {
    if (before.alive[returning]) continue;
    const int giver = GiverTo(returning, before, after);
    if (self != giver && self != returning) continue;
    const bool gives = self == giver;
    HandOver hand_over(worker, gives ? returning : giver,
                       gives ? HandOver::Direction::kOut : HandOver::Direction::kIn);
    RETURN_IF_ERROR(hand_over.Visit("parameters", x));
    RETURN_IF_ERROR(model_state(&hand_over));
    if (!gives) {
      RETURN_IF_ERROR(algorithm->Start(worker, x, g));
      RETURN_IF_ERROR(algorithm->OnMembership(after));
    }
    if (!algorithm->facts().state_is_shared) continue;
    RETURN_IF_ERROR(worker.optimizer->VisitState(&hand_over));
    RETURN_IF_ERROR(algorithm->VisitState(&hand_over));
  }
  return absl::OkStatus();
}

}  // namespace starling
