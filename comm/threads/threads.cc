// Backend "threads": every worker is a thread of this process. With a `device` all of them share
// that card: each has a queue for what it computes and one for what it exchanges.
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "comm/backend.h"
#include "comm/threads/mailbox.h"
#include "comm/threads/threads.pb.h"
#include "core/clock.h"
#include "core/device/device.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

class ThreadsWork final : public Work {
 public:
  ThreadsWork(Mailbox* mailbox, ComputeSlots* slots, std::shared_ptr<Exchanging> exchange)
      : mailbox_(mailbox), slots_(slots), exchange_(std::move(exchange)) {}
  ~ThreadsWork() override { mailbox_->Cancel(exchange_); }

  bool Done() override { return mailbox_->Done(*exchange_); }
  absl::Status Wait() override { return mailbox_->Wait(*exchange_, slots_); }
  absl::Span<const Arrival> arrivals() const override { return exchange_->arrivals; }
  std::string Missing() const override { return mailbox_->Missing(*exchange_); }

 private:
  Mailbox* mailbox_;
  ComputeSlots* slots_;
  std::shared_ptr<Exchanging> exchange_;
};

// The machine's clock; who sleeps gives the compute slot back meanwhile.
class SlotClock final : public Clock {
 public:
  explicit SlotClock(ComputeSlots* slots) : slots_(slots) {}

  double NowSeconds() override { return WallClock().NowSeconds(); }
  void SleepUntil(double seconds) override {
    if (seconds <= NowSeconds()) return;
    slots_->Release();
    WallClock().SleepUntil(seconds);
    slots_->Acquire();
  }

 private:
  ComputeSlots* slots_;
};

class ThreadsCommunicator final : public Communicator {
 public:
  ThreadsCommunicator(int rank, const Backend::Context& world, Mailbox* mailbox,
                      ComputeSlots* slots, Clock* clock, Place place, Queue* background)
      : Communicator(rank, world.workers, world.workers_per_node, clock, place),
        mailbox_(mailbox),
        slots_(slots),
        background_(background) {}

  void Abort(const absl::Status& reason) override { mailbox_->Abort(reason); }
  Queue* background_queue() override { return background_; }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    auto exchange = std::make_shared<Exchanging>(rank(), sends, receives, options);
    if (place() == Place::kDevice) {
      exchange->queue = background_;
      exchange->ready = QueuePoint::After(CurrentQueue());
    }
    mailbox_->Post(exchange);
    return std::make_unique<ThreadsWork>(mailbox_, slots_, std::move(exchange));
  }

  Mailbox* mailbox_;
  ComputeSlots* slots_;
  Queue* background_;
};

class Threads final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const ThreadsConfig& config,
                                                         const Context& context) {
    ASSIGN_OR_RETURN(const std::optional<int> card, CardNamed(config.device()));
    return std::make_unique<Threads>(context, card);
  }

  Threads(const Context& context, std::optional<int> card) : context_(context), card_(card) {
    CHECK(context.workers >= 1 && context.workers_per_node >= 1 && context.cores >= 1);
  }

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    Mailbox mailbox(context_.workers);
    // Who has given its work to a card leaves the cores alone.
    ComputeSlots slots(card_ ? context_.workers : context_.cores);
    SlotClock clock(&slots);
    std::mutex mutex;
    absl::Status first_error;
    const auto body = [&](int rank) {
      absl::Status status = RunWorker(rank, &mailbox, &slots, &clock, worker);
      if (status.ok()) return;
      status = WithContext(status, absl::StrCat("worker ", rank));
      std::lock_guard<std::mutex> lock(mutex);
      // The first error makes others end with ABORTED, which may get here before it.
      const bool cause = absl::IsAborted(first_error) && !absl::IsAborted(status);
      if (first_error.ok() || cause) first_error = status;
      mailbox.Abort(status);
    };
    std::vector<std::thread> threads;
    threads.reserve(context_.workers);
    for (int rank = 0; rank < context_.workers; ++rank) threads.emplace_back(body, rank);
    for (std::thread& thread : threads) thread.join();
    return first_error;
  }

 private:
  absl::Status RunWorker(int rank, Mailbox* mailbox, ComputeSlots* slots, Clock* clock,
                         const std::function<absl::Status(Communicator*)>& worker) const {
    OwnedQueue computing, exchanging;  // outlive the communicator's memory
    if (card_) {
      RETURN_IF_ERROR(LinkedDevice()->UseCard(*card_));
      ASSIGN_OR_RETURN(computing, OwnedQueue::New());
      ASSIGN_OR_RETURN(exchanging, OwnedQueue::New());
    }
    const QueueScope scope(computing.get());
    ThreadsCommunicator comm(rank, context_, mailbox, slots, clock,
                             card_ ? Place::kDevice : Place::kHost, exchanging.get());
    slots->Acquire();
    absl::Status status = worker(&comm);
    // What went wrong on the card explains what went wrong here.
    if (card_) {
      const absl::Status on_card = LinkedDevice()->Wait(computing.get());
      if (!on_card.ok()) status = on_card;
    }
    slots->Release();
    return status;
  }

  Context context_;
  std::optional<int> card_;
};

STARLING_REGISTER_PLUGIN(Backend, Threads, ThreadsConfig,
                         PluginFacts{"threads",
                                     "workers are threads of one process; any number on any "
                                     "number of cores, or on one GPU",
                                     "",
                                     {},
                                     ""});

}  // namespace
}  // namespace starling
