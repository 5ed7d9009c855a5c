#include "comm/launch_environment.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

using ::testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

absl::StatusOr<LaunchEnvironment> Read(const Variables& variables) {
  return ReadLaunchEnvironment([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

void ExpectFound(const Variables& variables, const std::string& launcher, int rank, int size) {
  const auto found = Read(variables);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->launcher, launcher);
  EXPECT_EQ(found->rank, rank);
  EXPECT_EQ(found->size, size);
}

const Variables kSlurm = {{"SLURM_PROCID", "5"},
                          {"SLURM_STEP_NUM_TASKS", "8"},
                          {"SLURM_STEP_ID", "0"},
                          {"SLURM_NTASKS", "8"}};

Variables With(Variables variables, const Variables& more) {
  variables.insert(more.begin(), more.end());
  return variables;
}

TEST(LaunchEnvironment, KnowsEveryLauncher) {
  ExpectFound({}, "", 0, 1);
  ExpectFound({{"RANK", "1"}, {"WORLD_SIZE", "2"}}, "torchrun", 1, 2);
  ExpectFound({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}}, "Open MPI", 3, 4);
  ExpectFound({{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}, "MPICH", 0, 1);
  ExpectFound({{"PMIX_RANK", "2"}}, "PMIx", 2, -1);
  ExpectFound({{"MV2_COMM_WORLD_RANK", "1"}, {"MV2_COMM_WORLD_SIZE", "6"}}, "MVAPICH", 1, 6);
  ExpectFound(kSlurm, "Slurm", 5, 8);
}

TEST(LaunchEnvironment, TheInnerLauncherWins) {
  ExpectFound(With(kSlurm, {{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}}),
              "Open MPI", 3, 4);
  ExpectFound(With(kSlurm, {{"RANK", "1"}, {"WORLD_SIZE", "2"}}), "torchrun", 1, 2);
  // srun --mpi=pmix: PMIx is asked, not Slurm.
  ExpectFound(With(kSlurm, {{"PMIX_RANK", "5"}}), "PMIx", 5, -1);
  // A variable that somebody else exported does not hide a complete set.
  ExpectFound(With(kSlurm, {{"RANK", "1"}}), "Slurm", 5, 8);
}

TEST(LaunchEnvironment, KnowsThePlaceOnTheMachine) {
  const auto local = [](const Variables& variables) { return Read(variables)->local_rank; };
  EXPECT_EQ(local({}), 0);
  EXPECT_EQ(local({{"RANK", "5"}, {"WORLD_SIZE", "8"}}), 0);
  EXPECT_EQ(local({{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}}), 1);
  EXPECT_EQ(local({{"OMPI_COMM_WORLD_RANK", "3"},
                   {"OMPI_COMM_WORLD_SIZE", "4"},
                   {"OMPI_COMM_WORLD_LOCAL_RANK", "2"}}),
            2);
  EXPECT_EQ(local(With(kSlurm, {{"SLURM_LOCALID", "3"}})), 3);
  EXPECT_THAT(Read({{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "x"}}).status().message(),
              HasSubstr("LOCAL_RANK is \"x\", which is no number"));
}

TEST(LaunchEnvironment, AShellInAnAllocationIsNoTask) {
  ExpectFound({{"SLURM_NTASKS", "8"}}, "", 0, 1);
  ExpectFound({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}}, "", 0, 1);
}

TEST(LaunchEnvironment, SaysWhatIsMissing) {
  const auto partial = Read({{"OMPI_COMM_WORLD_RANK", "3"}, {"WORLD_SIZE", "4"}});
  EXPECT_EQ(partial.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      partial.status().message(),
      "the launcher's variables are incomplete (torchrun: WORLD_SIZE=4 but no RANK; Open MPI: "
      "OMPI_COMM_WORLD_RANK=3 but no OMPI_COMM_WORLD_SIZE); set both or none of them");
  EXPECT_THAT(Read({{"RANK", "one"}, {"WORLD_SIZE", "2"}}).status().message(),
              HasSubstr("RANK is \"one\", which is no number"));
  EXPECT_THAT(Read({{"RANK", "2"}, {"WORLD_SIZE", "2"}}).status().message(),
              HasSubstr("torchrun says RANK=2 and WORLD_SIZE=2; ranks are smaller"));
}

}  // namespace
}  // namespace starling
