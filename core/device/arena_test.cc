#include "core/device/arena.h"

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(MakeArena, IsZeroedWhereverItLies) {
  for (Place place : {Place::kHost, Place::kDevice}) {
    const auto arena = MakeArena(1000, DType::kF32, place);
    ASSERT_TRUE(arena.ok());
    EXPECT_EQ(arena->buffer().place, place);
    EXPECT_EQ(ops::Dot(arena->buffer(), arena->buffer()), 0);
  }
  const auto nothing = MakeArena(0, DType::kF32, Place::kDevice);
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->empty());
  const auto sizes = MakeArena(int64_t{1} << 40, DType::kF32, Place::kVirtual);
  ASSERT_TRUE(sizes.ok());
  EXPECT_EQ(sizes->buffer().data, nullptr);
}

TEST(MakeArena, SaysWhatTheCardHasNoRoomFor) {
  const auto some = MakeArena(int64_t{1} << 20, DType::kF32, Place::kDevice);
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(
      MakeArena(int64_t{1} << 29, DType::kF32, Place::kDevice).status(),
      absl::ResourceExhaustedError("the card has no 2048 MiB left, of 2048 MiB 2044 are free"));
}

TEST(MakePageLockedArena, IsMemoryOfTheHost) {
  const auto arena = MakePageLockedArena(10, DType::kF64);
  ASSERT_TRUE(arena.ok());
  EXPECT_EQ(arena->buffer().as<double>()[9], 0);
}

}  // namespace
}  // namespace starling
