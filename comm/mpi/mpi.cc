// Backend "mpi": every worker is an MPI process (Open MPI), started by mpirun or srun.
#include "mpi.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "comm/backend.h"
#include "comm/launch_environment.h"
#include "comm/mpi/group_sum.h"
#include "comm/mpi/mpi.pb.h"
#include "comm/mpi/transport.h"
#include "comm/mpi_world.h"
#include "comm/process_group.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// How long the processes of a run may take to find each other.
const absl::Duration kStartPatience = absl::Seconds(60);

class MpiWork final : public Work {
 public:
  MpiWork(MpiTransport* transport, std::shared_ptr<Exchanging> exchange)
      : transport_(transport), exchange_(std::move(exchange)) {}
  ~MpiWork() override { transport_->Cancel(exchange_); }

  bool Done() override { return transport_->Done(*exchange_); }
  absl::Status Wait() override { return transport_->Wait(*exchange_); }
  absl::Span<const Arrival> arrivals() const override { return exchange_->arrivals; }
  std::string Missing() const override { return transport_->Missing(*exchange_); }

 private:
  MpiTransport* transport_;
  std::shared_ptr<Exchanging> exchange_;
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(const Backend::Context& world, MpiTransport* transport, ProcessGroup* group,
                  MpiGroupSum* native)
      : Communicator(group->process(), world.workers, world.workers_per_node, &WallClock()),
        transport_(transport),
        group_(group),
        native_(native) {}

  void Abort(const absl::Status& reason) override { group_->Abort(reason); }

  absl::StatusOr<std::unique_ptr<Work>> AllReduceSum(absl::Span<const int> group, MessageKey key,
                                                     Buffer values,
                                                     const ExchangeOptions& options) override {
    if (native_ != nullptr && MpiGroupSum::Takes(values.type)) {
      return native_->Start(group, key, values, options, &recorder());
    }
    return Communicator::AllReduceSum(group, key, values, options);
  }

 private:
  absl::StatusOr<std::unique_ptr<Work>> StartExchange(absl::Span<const Send> sends,
                                                      absl::Span<const Receive> receives,
                                                      const ExchangeOptions& options) override {
    auto exchange = std::make_shared<Exchanging>(rank(), sends, receives, options);
    transport_->Post(exchange);
    return std::make_unique<MpiWork>(transport_, std::move(exchange));
  }

  MpiTransport* transport_;
  ProcessGroup* group_;
  MpiGroupSum* native_;  // null: two-level
};

class Mpi final : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const MpiConfig& config,
                                                         const Context& context) {
    ASSIGN_OR_RETURN(const LaunchEnvironment launch, ReadLaunchEnvironment(getenv));
    ASSIGN_OR_RETURN(const MpiWorld world, StartMpi("mpi", launch, context.workers));
    // Collective, so before anything of which one process could fail and another not.
    auto transport = std::make_unique<MpiTransport>(MPI_COMM_WORLD);
    ASSIGN_OR_RETURN(auto channel, MeetOverMpi(world, kStartPatience));
    auto mpi = std::make_unique<Mpi>(config, context, std::move(transport), std::move(channel));
    RETURN_IF_ERROR(mpi->group_.Start([transport = mpi->transport_.get()](
                                          const absl::Status& reason) { transport->Abort(reason); },
                                      kStartPatience));
    return mpi;
  }

  Mpi(const MpiConfig& config, const Context& context, std::unique_ptr<MpiTransport> transport,
      std::unique_ptr<ControlChannel> channel)
      : context_(context),
        native_(config.all_reduce() == MpiConfig::NATIVE),
        transport_(std::move(transport)),
        group_(std::move(channel)) {}

  ~Mpi() override {
    if (!failed_) return;
    // MPI may still read and write what it was given.
    transport_.release();
    comm_.release();
  }

  ProcessGroup* processes() override { return &group_; }

  absl::Status Run(const std::function<absl::Status(Communicator*)>& worker) override {
    MpiGroupSum sums(group_.process(), transport_.get());
    comm_ = std::make_unique<MpiCommunicator>(context_, transport_.get(), &group_,
                                              native_ ? &sums : nullptr);
    absl::Status status = worker(comm_.get());
    if (!status.ok()) status = WithContext(status, absl::StrCat("worker ", group_.process()));
    const absl::Status result = group_.Finish(status);
    failed_ = group_.aborted();
    if (absl::IsUnavailable(result) || absl::IsDeadlineExceeded(result)) LeaveMpiUnfinalized();
    return result;
  }

 private:
  Context context_;
  bool native_;
  std::unique_ptr<MpiTransport> transport_;
  ProcessGroup group_;
  std::unique_ptr<MpiCommunicator> comm_;
  bool failed_ = false;
};

STARLING_REGISTER_PLUGIN(
    Backend, Mpi, MpiConfig,
    PluginFacts{
        "mpi", "workers are MPI processes, on one machine or on many (Open MPI)", "", {}, ""});

}  // namespace
}  // namespace starling
