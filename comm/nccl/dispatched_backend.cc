#include "comm/nccl/dispatched_backend.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/device/device.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// How long a carrier may take to give up what is under way.
const absl::Duration kAbortPatience = absl::Seconds(2);

}  // namespace

class DispatchedBackend::DispatchedCommunicator final : public Communicator {
 public:
  DispatchedCommunicator(const Context& world, bool on_card, bool deterministic,
                         OwnedQueue background, Dispatcher* dispatcher, ProcessGroup* group)
      : Communicator(group->process(), world.workers, world.workers_per_node, &WallClock(),
                     on_card ? Place::kDevice : Place::kHost),
        deterministic_(deterministic),
        background_(std::move(background)),
        dispatcher_(dispatcher),
        group_(group) {}

  void Abort(const absl::Status& reason) override { group_->Abort(reason); }

  absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int> group, MessageKey key,
                                                     Buffer values,
                                                     const ExchangeOptions& options) override {
    const int64_t members = static_cast<int64_t>(group.size());
    if (deterministic_ || values.place != Place::kDevice || values.count == 0 || members == 1) {
      return Communicator::AllReduceSum(group, key, values, options);
    }
    CHECK(std::is_sorted(group.begin(), group.end()) &&
          std::binary_search(group.begin(), group.end(), rank()));
    CHECK_EQ(key.part, 0);
    // What the carrier really sends is its own affair: a ring's bytes are written down.
    std::vector<Send> sends;
    for (int member : group) {
      if (member == rank()) continue;
      sends.push_back({member, key, values.Slice(0, 2 * values.count / members)});
    }
    ExchangeOptions untold = options;
    untold.completed = nullptr;
    return Recorded(sends, {}, untold,
                    [&](const ExchangeOptions& inner) -> absl::StatusOr<std::unique_ptr<Work>> {
                      return dispatcher_->Sum(group, key, values, inner);
                    });
  }

  Queue* background_queue() override { return background_.get(); }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    return dispatcher_->Exchange(sends, receives, options);
  }

  const bool deterministic_;
  OwnedQueue background_;
  Dispatcher* dispatcher_;
  ProcessGroup* group_;
};

absl::StatusOr<std::unique_ptr<Backend>> DispatchedBackend::Create(
    const Context& context, Options options, std::unique_ptr<ControlChannel> channel,
    absl::Duration patience) {
  std::unique_ptr<DispatchedBackend> backend(
      new DispatchedBackend(context, std::move(options), std::move(channel)));
  RETURN_IF_ERROR(backend->Start(patience));
  return backend;
}

DispatchedBackend::DispatchedBackend(const Context& context, Options options,
                                     std::unique_ptr<ControlChannel> channel)
    : context_(context),
      options_(std::move(options)),
      group_(std::make_unique<ProcessGroup>(std::move(channel))) {}

absl::Status DispatchedBackend::Start(absl::Duration patience) {
  const int rank = group_->process();
  Dispatcher::Options options;
  options.rank = rank;
  options.carrier = options_.carrier.get();
  options.failed = [this](const absl::Status& status) { Fail(status); };
  options.post = [this](const NcclPost& post) {
    if (referee_ != nullptr) return referee_->OnPost(0, post);
    group_->TellAsBackend(0, post.SerializeAsString());
  };
  dispatcher_ = std::make_unique<Dispatcher>(std::move(options));
  if (rank == 0) {
    referee_ =
        std::make_unique<Referee>(group_->processes(), [this](int worker, const NcclOrder& order) {
          if (worker == 0) return dispatcher_->OnOrder(order);
          group_->TellAsBackend(worker, order.SerializeAsString());
        });
  }
  RETURN_IF_ERROR(
      group_->Start([this](const absl::Status& reason) { dispatcher_->Abort(reason); }, patience));
  if (rank == 0 && options_.carrier != nullptr) {
    ASSIGN_OR_RETURN(const std::string world, options_.carrier->NewWorld());
    referee_->Begin(world);
  }
  group_->ListenAsBackend([this](int from, const std::string& bytes) {
    if (referee_ != nullptr) {
      NcclPost post;
      if (post.ParseFromString(bytes)) referee_->OnPost(from, post);
    } else {
      NcclOrder order;
      if (order.ParseFromString(bytes)) dispatcher_->OnOrder(std::move(order));
    }
  });
  return absl::OkStatus();
}

DispatchedBackend::~DispatchedBackend() {
  if (group_->aborted() && !dispatcher_->CarrierHasAborted(kAbortPatience)) {
    // The card may still read and write what it was given, and the thread wait for it.
    (void)comm_.release();
    (void)dispatcher_.release();
    (void)referee_.release();
    (void)options_.carrier.release();
    (void)group_.release();
    return;
  }
  group_->ListenAsBackend(nullptr);
  dispatcher_->End();  // It uses the group, the group's thread uses it.
  group_.reset();
}

void DispatchedBackend::Fail(const absl::Status& status) {
  const absl::Status failure = WithContext(status, absl::StrCat("worker ", group_->process()));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    failure_.Update(failure);
  }
  group_->Abort(failure);
}

absl::Status DispatchedBackend::Finished(const absl::Status& status) {
  // Others may need this process for what is still on the way.
  if (status.ok()) dispatcher_->Drain();
  return status;
}

absl::Status DispatchedBackend::RunOnCard(
    const std::function<absl::Status(Communicator*)>& worker) {
  Device* const device = CHECK_NOTNULL(LinkedDevice());
  RETURN_IF_ERROR(device->UseCard(options_.card));
  ASSIGN_OR_RETURN(OwnedQueue own, OwnedQueue::New());
  ASSIGN_OR_RETURN(OwnedQueue background, OwnedQueue::New());
  const QueueScope scope(own.get());
  comm_ = std::make_unique<DispatchedCommunicator>(context_, /*on_card=*/true,
                                                   options_.deterministic, std::move(background),
                                                   dispatcher_.get(), group_.get());
  RETURN_IF_ERROR(Finished(worker(comm_.get())));
  return device->Wait(own.get());
}

absl::Status DispatchedBackend::RunWorker(
    const std::function<absl::Status(Communicator*)>& worker) {
  if (options_.carrier != nullptr) return RunOnCard(worker);
  comm_ =
      std::make_unique<DispatchedCommunicator>(context_, /*on_card=*/false, options_.deterministic,
                                               OwnedQueue(), dispatcher_.get(), group_.get());
  return Finished(worker(comm_.get()));
}

absl::Status DispatchedBackend::Run(const std::function<absl::Status(Communicator*)>& worker) {
  absl::Status status = WithContext(RunWorker(worker), absl::StrCat("worker ", group_->process()));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!failure_.ok() && (status.ok() || absl::IsAborted(status))) status = failure_;
  }
  const absl::Status result = group_->Finish(status);
  const bool lost = absl::IsUnavailable(result) || absl::IsDeadlineExceeded(result);
  if (lost && options_.lost) options_.lost();
  return result;
}

}  // namespace starling
