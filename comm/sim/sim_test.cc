#include "comm/backend_conformance.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

INSTANTIATE_TEST_SUITE_P(Sim, BackendConformance,
                         testing::ValuesIn(BackendWorlds("sim", {1, 2, 3, 4, 5, 8, 17})),
                         BackendWorldName);

}  // namespace
}  // namespace starling
