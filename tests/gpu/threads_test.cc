// Backend threads with all workers on one card.
#include <vector>

#include "comm/backend_conformance.h"
#include "gtest/gtest.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

std::vector<BackendWorld> Worlds() {
  if (LinkedDevice() == nullptr) return {};
  return BackendWorlds("threads", {1, 2, 3, 8, 64}, "device: 'cuda:0'");
}

INSTANTIATE_TEST_SUITE_P(ThreadsOnACard, BackendConformance, testing::ValuesIn(Worlds()),
                         BackendWorldName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackendConformance);

TEST(ThreadsOnACard, HasACard) { SKIP_WITHOUT_DEVICE(); }

}  // namespace
}  // namespace starling
