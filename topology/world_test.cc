#include "topology/world.h"

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(World, PowersOfTwo) {
  for (int n : {1, 2, 4, 8, 1024}) EXPECT_TRUE(IsPowerOfTwo(n)) << n;
  for (int n : {-2, 0, 3, 6, 1023}) EXPECT_FALSE(IsPowerOfTwo(n)) << n;
}

TEST(World, CeilLog2RoundsUp) {
  EXPECT_EQ(CeilLog2(1), 0);
  EXPECT_EQ(CeilLog2(2), 1);
  EXPECT_EQ(CeilLog2(3), 2);
  EXPECT_EQ(CeilLog2(4), 2);
  EXPECT_EQ(CeilLog2(5), 3);
  EXPECT_EQ(CeilLog2(1 << 30), 30);
  EXPECT_EQ(CeilLog2((1 << 30) + 1), 31);
}

TEST(World, NamesTheNearestLegalWorlds) {
  EXPECT_TRUE(CheckWorld("cube", "a power of two workers", 8, IsPowerOfTwo).ok());
  const absl::Status status = CheckWorld("cube", "a power of two workers", 7, IsPowerOfTwo);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "topology \"cube\" needs a power of two workers, not 7; nearest: 4 or 8");
}

TEST(World, PutsTheHintLast) {
  EXPECT_EQ(CheckWorld("cube", "a power of two workers", 3, IsPowerOfTwo, "or ask").message(),
            "topology \"cube\" needs a power of two workers, not 3; nearest: 2 or 4; or ask");
}

TEST(WorldDeathTest, OneWorkerMustBeLegal) {
  EXPECT_DEATH(CheckWorld("x", "nine", 5, [](int n) { return n == 9; }).IgnoreError(),
               "one worker must be legal");
}

}  // namespace
}  // namespace starling
