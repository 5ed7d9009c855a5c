#include "absl/status/status.h"
#include "core/registry.h"
#include "experiments/sweep/launcher.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(LauncherTest, IsRegistered) {
  PluginRef ref;
  ref.set_name("local");
  EXPECT_EQ(Registry<Launcher>::Global().Create(ref, {}).status(), absl::OkStatus());
}

}  // namespace
}  // namespace starling
