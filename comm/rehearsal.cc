#include "comm/rehearsal.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "comm/rehearsal_world.h"
#include "core/clock.h"
#include "core/status.h"

namespace starling {
namespace {

// A worker's hold on one exchange.
class RehearsedWork final : public Work {
 public:
  RehearsedWork(RehearsalWorld* world, int rank, absl::Span<const Send> sends,
                absl::Span<const Receive> receives, const ExchangeOptions& options)
      : world_(world), exchange_(rank, sends, receives, options) {}
  ~RehearsedWork() override { world_->Drop(&exchange_); }

  absl::Status Post() { return world_->Post(&exchange_); }
  bool Done() override { return world_->Done(&exchange_); }
  absl::Status Wait() override { return world_->Wait(&exchange_); }
  absl::Span<const Arrival> arrivals() const override {
    exchange_.asked = true;
    return exchange_.arrivals;
  }
  std::string Missing() const override { return exchange_.Missing(); }

 private:
  RehearsalWorld* world_;
  mutable RehearsedExchange exchange_;  // mutable: asking is noted
};

class RehearsalCommunicator final : public Communicator {
 public:
  RehearsalCommunicator(int rank, int workers_per_node, RehearsalWorld* world, Clock* clock)
      : Communicator(rank, world->size(), workers_per_node, clock), world_(world) {}

  void Abort(const absl::Status& reason) override { world_->Abort(reason.message()); }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    auto work = std::make_unique<RehearsedWork>(world_, rank(), sends, receives, options);
    RETURN_IF_ERROR(work->Post());
    return work;
  }

  RehearsalWorld* world_;
};

// Time that passes whenever somebody looks, so that nobody waits for it in vain.
class Ticks final : public Clock {
 public:
  double NowSeconds() override { return seconds_ += 1e-3; }
  void SleepUntil(double seconds) override { seconds_ = std::max(seconds_, seconds); }

 private:
  double seconds_ = 0;
};

}  // namespace

Rehearsal::Rehearsal(int workers, int workers_per_node)
    : workers_per_node_(workers_per_node), world_(std::make_unique<RehearsalWorld>(workers)) {}

Rehearsal::~Rehearsal() = default;

int64_t Rehearsal::messages() const { return world_->messages(); }

absl::Status Rehearsal::Run(const std::function<absl::Status(Communicator*)>& worker) {
  std::vector<std::thread> threads;
  threads.reserve(world_->size());
  for (int rank = 0; rank < world_->size(); ++rank) {
    threads.emplace_back([&, rank] {
      world_->Begin(rank);
      Ticks clock;
      RehearsalCommunicator comm(rank, workers_per_node_, world_.get(), &clock);
      world_->Finish(rank, worker(&comm));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return world_->result();
}

}  // namespace starling
