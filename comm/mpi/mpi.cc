// Backend "mpi": every worker is an MPI process (Open MPI), started by mpirun or srun.
#include "mpi.h"

#include <unistd.h>

#include <array>
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
#include "comm/process_group.h"
#include "core/registry.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {
namespace {

// How long the processes of a run may take to find each other.
const absl::Duration kStartPatience = absl::Seconds(60);

bool may_finalize = true;

// Initializes MPI, once in a process, and has it finalized at the end of one that did well: with a
// peer that has failed MPI_Finalize would wait for ever.
absl::Status StartMpi() {
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (initialized) return absl::OkStatus();
  // Open MPI's TCP moves large messages by a protocol of acknowledged puts, which halves the rate
  // of links that are used in both directions at once, as all of ours are. What the user sets wins.
  setenv("OMPI_MCA_btl_tcp_flags", "send,inplace,need-ack,need-csum,hetero-rdma", /*overwrite=*/0);
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    return absl::UnavailableError("backend \"mpi\": MPI_Init failed");
  }
  if (provided < MPI_THREAD_MULTIPLE) {
    return absl::UnavailableError(
        "backend \"mpi\": this MPI was built without MPI_THREAD_MULTIPLE, which Starling needs");
  }
  std::atexit([] {
    if (!may_finalize) return;
    alarm(20);  // rather than a hang
    MPI_Finalize();
  });
  return absl::OkStatus();
}

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
    RETURN_IF_ERROR(StartMpi());
    int rank = 0, size = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    RETURN_IF_ERROR(CheckWorld(launch, rank, size, context.workers));
    // Collective, so before anything of which one process could fail and another not.
    auto transport = std::make_unique<MpiTransport>(MPI_COMM_WORLD);
    ASSIGN_OR_RETURN(auto channel, Connect(rank, size));
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
    if (absl::IsUnavailable(result) || absl::IsDeadlineExceeded(result)) may_finalize = false;
    return result;
  }

 private:
  static absl::Status CheckWorld(const LaunchEnvironment& launch, int rank, int size, int workers) {
    const bool disagrees = !launch.launcher.empty() && launch.size >= 0 &&
                           (launch.rank != rank || launch.size != size);
    if (disagrees) {
      return absl::InvalidArgumentError(
          absl::StrCat("backend \"mpi\": ", launch.launcher, " calls this process ", launch.rank,
                       " of ", launch.size, ", but MPI calls it ", rank, " of ", size,
                       "; start with mpirun, or with srun --mpi=pmix"));
    }
    if (size == workers) return absl::OkStatus();
    if (size == 1 && launch.launcher.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("backend \"mpi\": the config has ", workers,
                       " workers, but this is one process, started by hand; start `mpirun -np ",
                       workers, " starling train ...`, or add --np=", workers));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("backend \"mpi\": the config has ", workers, " workers, but ", size,
                     size == 1 ? " process was started; start " : " processes were started; start ",
                     workers, ", or add --set workers=", size));
  }

  static absl::StatusOr<std::unique_ptr<ControlChannel>> Connect(int rank, int size) {
    std::array<char, 4096> address{};
    absl::StatusOr<std::unique_ptr<ControlChannel>> channel;
    if (rank == 0) {
      channel = ControlChannel::Listen(size);
      if (channel.ok()) (*channel)->address().copy(address.data(), address.size() - 1);
    }
    MPI_Bcast(address.data(), static_cast<int>(address.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
    return rank == 0 ? std::move(channel)
                     : ControlChannel::Join(address.data(), rank, kStartPatience);
  }

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
