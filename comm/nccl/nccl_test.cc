// What can be seen without a card; with one, //tests/gpu:nccl_test sees more.
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "comm/backend.h"
#include "core/device/device.h"
#include "core/registry.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

absl::Status Made(int workers) {
  PluginRef ref;
  ref.set_name("nccl");
  Backend::Context world;
  world.workers = workers;
  return Registry<Backend>::Global().Create(ref, world).status();
}

TEST(Nccl, SaysWhatItNeeds) {
  if (!HasDeviceLibrary()) {
    EXPECT_EQ(Made(1), absl::NotFoundError("backend \"nccl\" is not in this binary: it needs a "
                                           "program built with --config=cuda"));
    return;
  }
  if (LinkedDevice() == nullptr) {
    EXPECT_EQ(Made(1), absl::FailedPreconditionError(
                           "backend \"nccl\": this machine has no GPU that CUDA can use; `starling "
                           "doctor` says more"));
    return;
  }
  EXPECT_EQ(Made(1), absl::OkStatus());
  EXPECT_EQ(Made(4),
            absl::InvalidArgumentError(
                "backend \"nccl\": the config has 4 workers, but this is one process, started by "
                "hand; start `torchrun --no-python --nproc_per_node=4 starling train ...` or "
                "`mpirun -np 4 starling train ...`"));
}

TEST(Nccl, TorchrunStartsAsManyAsTheConfigHas) {
  if (LinkedDevice() == nullptr) GTEST_SKIP() << "this machine has no GPU that CUDA can use";
  setenv("RANK", "0", 1);
  setenv("WORLD_SIZE", "2", 1);
  EXPECT_EQ(Made(4), absl::InvalidArgumentError(
                         "backend \"nccl\": the config has 4 workers, but WORLD_SIZE is 2; start 4 "
                         "processes, or add --set workers=2"));
  unsetenv("RANK");
  unsetenv("WORLD_SIZE");
}

}  // namespace
}  // namespace starling
