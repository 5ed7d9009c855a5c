// Run by itself it is a world of one; launch_test.py runs it in larger ones.
#include <cstdlib>

#include "comm/backend_conformance.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

int WorldSize() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  return size == nullptr ? 1 : std::atoi(size);
}

INSTANTIATE_TEST_SUITE_P(Mpi, BackendConformance,
                         testing::ValuesIn(BackendWorlds("mpi", {WorldSize()})), BackendWorldName);

}  // namespace
}  // namespace starling
