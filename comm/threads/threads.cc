// Backend "threads": every worker is a thread of this process.
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "comm/backend.h"
#include "comm/threads/mailbox.h"
#include "comm/threads/threads.pb.h"
#include "core/clock.h"
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
                      ComputeSlots* slots, Clock* clock)
      : Communicator(rank, world.workers, world.workers_per_node, clock),
        mailbox_(mailbox),
        slots_(slots) {}

  void Abort(const absl::Status& reason) override { mailbox_->Abort(reason); }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    auto exchange = std::make_shared<Exchanging>(rank(), sends, receives, options);
    mailbox_->Post(exchange);
    return std::make_unique<ThreadsWork>(mailbox_, slots_, std::move(exchange));
  }

  Mailbox* mailbox_;
  ComputeSlots* slots_;
};

class Threads final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const ThreadsConfig&,
                                                         const Context& context) {
    return std::make_unique<Threads>(context);
  }

  explicit Threads(const Context& context) : context_(context) {
    CHECK(context.workers >= 1 && context.workers_per_node >= 1 && context.cores >= 1);
  }

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    Mailbox mailbox(context_.workers);
    ComputeSlots slots(context_.cores);
    SlotClock clock(&slots);
    std::mutex mutex;
    absl::Status first_error;
    const auto body = [&](int rank) {
      ThreadsCommunicator comm(rank, context_, &mailbox, &slots, &clock);
      slots.Acquire();
      absl::Status status = worker(&comm);
      slots.Release();
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
  Context context_;
};

STARLING_REGISTER_PLUGIN(Backend, Threads, ThreadsConfig,
                         PluginFacts{"threads",
                                     "workers are threads of one process; any number on any "
                                     "number of cores",
                                     "",
                                     {},
                                     ""});

}  // namespace
}  // namespace starling
