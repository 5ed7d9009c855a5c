#include "comm/mpi_world.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "core/status.h"
#include "mpi.h"

namespace starling {
namespace {

bool may_finalize = true;

absl::Status Initialize(absl::string_view backend) {
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (initialized) return absl::OkStatus();
  // Open MPI's TCP moves large messages by a protocol of acknowledged puts, which halves the rate
  // of links that are used in both directions at once, as all of ours are. What the user sets wins.
  setenv("OMPI_MCA_btl_tcp_flags", "send,inplace,need-ack,need-csum,hetero-rdma", /*overwrite=*/0);
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
    return absl::UnavailableError(absl::StrCat("backend \"", backend, "\": MPI_Init failed"));
  }
  if (provided < MPI_THREAD_MULTIPLE) {
    return absl::UnavailableError(
        absl::StrCat("backend \"", backend,
                     "\": this MPI was built without MPI_THREAD_MULTIPLE, which Starling needs"));
  }
  std::atexit([] {
    if (!may_finalize) return;
    alarm(20);  // rather than a hang
    MPI_Finalize();
  });
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MpiWorld> StartMpi(absl::string_view backend, const LaunchEnvironment& launch,
                                  int workers) {
  RETURN_IF_ERROR(Initialize(backend));
  MpiWorld world;
  MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &world.size);
  const int rank = world.rank, size = world.size;
  const bool disagrees =
      !launch.launcher.empty() && launch.size >= 0 && (launch.rank != rank || launch.size != size);
  if (disagrees) {
    return absl::InvalidArgumentError(
        absl::StrCat("backend \"", backend, "\": ", launch.launcher, " calls this process ",
                     launch.rank, " of ", launch.size, ", but MPI calls it ", rank, " of ", size,
                     "; start with mpirun, or with srun --mpi=pmix"));
  }
  if (size == workers) return world;
  if (size == 1 && launch.launcher.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("backend \"", backend, "\": the config has ", workers,
                     " workers, but this is one process, started by hand; start `mpirun -np ",
                     workers, " starling train ...`, or add --np=", workers));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("backend \"", backend, "\": the config has ", workers, " workers, but ", size,
                   size == 1 ? " process was started; start " : " processes were started; start ",
                   workers, ", or add --set workers=", size));
}

void LeaveMpiUnfinalized() { may_finalize = false; }

absl::StatusOr<std::unique_ptr<ControlChannel>> MeetOverMpi(const MpiWorld& world,
                                                            absl::Duration patience) {
  std::array<char, 4096> address{};
  absl::StatusOr<std::unique_ptr<ControlChannel>> channel;
  if (world.rank == 0) {
    channel = ControlChannel::Listen(world.size);
    if (channel.ok()) (*channel)->address().copy(address.data(), address.size() - 1);
  }
  MPI_Bcast(address.data(), static_cast<int>(address.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
  return world.rank == 0 ? std::move(channel)
                         : ControlChannel::Join(address.data(), world.rank, patience);
}

}  // namespace starling
