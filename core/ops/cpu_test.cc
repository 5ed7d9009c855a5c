#include "core/ops/cpu.h"

#include <string>

#include "gtest/gtest.h"
#include "hwy/targets.h"

namespace starling::ops {
namespace {

// The lowest bit of a set of targets is the best of them.
int64_t BestOf(int64_t targets) { return targets & -targets; }

class CpuTest : public testing::Test {
 protected:
  void TearDown() override { ASSERT_TRUE(SetCpuLevel(CpuLevel::kNative).ok()); }
};

TEST_F(CpuTest, RestrictsKernelsToTheLevel) {
  const std::string native(VectorUnit());
  if ((hwy::SupportedTargets() & HWY_AVX2) == 0) GTEST_SKIP() << "no AVX2: " << native;
  ASSERT_TRUE(SetCpuLevel(CpuLevel::kAvx2).ok());
  EXPECT_EQ(VectorUnit(), "AVX2");
  EXPECT_EQ(BestOf(hwy::SupportedTargets()), HWY_AVX2);
  ASSERT_TRUE(SetCpuLevel(CpuLevel::kNative).ok());
  EXPECT_EQ(VectorUnit(), native);
}

TEST_F(CpuTest, RaisesTheLevelAgain) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "no AVX-512: " << VectorUnit();
  ASSERT_TRUE(SetCpuLevel(CpuLevel::kAvx2).ok());
  ASSERT_TRUE(SetCpuLevel(CpuLevel::kAvx512).ok());
  EXPECT_EQ(VectorUnit(), "AVX-512");
}

TEST_F(CpuTest, SaysWhatTheProcessorHasInstead) {
  hwy::SetSupportedTargetsForTest(HWY_SSE4 | HWY_SSSE3 | HWY_SCALAR);
  const absl::Status status = SetCpuLevel(CpuLevel::kAvx512);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "this processor has no AVX-512; its best vector unit is SSE4");
  EXPECT_EQ(VectorUnit(), "SSE4");
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace starling::ops
