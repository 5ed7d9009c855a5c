#include "comm/launch_environment.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace starling {
namespace {

// The variables of one launcher. Of alternatives ("A|B") the first that is set counts.
struct Launcher {
  const char* name;
  const char* rank;
  const char* size;        // "": it sets none
  const char* local_rank;  // "": it sets none
  const char* condition;   // must be set as well, or the set is another's; "": none
};

constexpr Launcher kLaunchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", ""},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", ""},
    {"MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", ""},
    {"PMIx", "PMIX_RANK", "", "PMIX_LOCAL_RANK", ""},
    {"MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK", ""},
    // A shell in an allocation knows the number of tasks, and a batch script even a rank, but
    // neither is a task: that has a step of its own.
    {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_ID"},
};

absl::StatusOr<int> Number(const char* name, const char* value) {
  int number = 0;
  if (absl::SimpleAtoi(value, &number) && number >= 0) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("the launcher's variable ", name, " is \"", value, "\", which is no number"));
}

}  // namespace

absl::StatusOr<LaunchEnvironment> ReadLaunchEnvironment(
    const std::function<const char*(const char*)>& get) {
  std::string begun;
  for (const Launcher& launcher : kLaunchers) {
    if (launcher.condition[0] != '\0' && get(launcher.condition) == nullptr) continue;
    const char* rank = get(launcher.rank);
    const char* size = launcher.size[0] != '\0' ? get(launcher.size) : nullptr;
    if (rank == nullptr && size == nullptr) continue;
    if (rank != nullptr && (size != nullptr || launcher.size[0] == '\0')) {
      LaunchEnvironment found;
      found.launcher = launcher.name;
      auto number = Number(launcher.rank, rank);
      if (!number.ok()) return number.status();
      found.rank = *number;
      found.size = -1;
      if (size != nullptr) {
        number = Number(launcher.size, size);
        if (!number.ok()) return number.status();
        found.size = *number;
        if (found.rank >= found.size) {
          return absl::InvalidArgumentError(
              absl::StrCat(launcher.name, " says ", launcher.rank, "=", rank, " and ",
                           launcher.size, "=", size, "; ranks are smaller than the size"));
        }
      }
      const char* local = launcher.local_rank[0] != '\0' ? get(launcher.local_rank) : nullptr;
      if (local != nullptr) {
        number = Number(launcher.local_rank, local);
        if (!number.ok()) return number.status();
        found.local_rank = *number;
      }
      return found;
    }
    const char* present = rank != nullptr ? launcher.rank : launcher.size;
    const char* absent = rank != nullptr ? launcher.size : launcher.rank;
    absl::StrAppend(&begun, begun.empty() ? "" : "; ", launcher.name, ": ", present, "=",
                    rank != nullptr ? rank : size, " but no ", absent);
  }
  if (begun.empty()) return LaunchEnvironment();
  return absl::InvalidArgumentError(absl::StrCat("the launcher's variables are incomplete (", begun,
                                                 "); set both or none of them"));
}

}  // namespace starling
