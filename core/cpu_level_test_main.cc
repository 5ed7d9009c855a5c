// main for tests that compute with LibTorch: GoogleTest's, after fixing the vector level as the
// driver does.
#include "core/cpu_level.h"
#include "core/status.h"
#include "gtest/gtest.h"

int main(int argc, char** argv) {
  CHECK_OK(starling::FixCpuLevel("native", argv));
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
