#include "core/buffer.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace starling {
namespace {

TEST(DTypeTest, HasSizeAndSafetensorsName) {
  EXPECT_EQ(SizeOf(DType::kF64), 8);
  EXPECT_EQ(SizeOf(DType::kI64), 8);
  EXPECT_EQ(SizeOf(DType::kF32), 4);
  EXPECT_EQ(SizeOf(DType::kI32), 4);
  EXPECT_EQ(SizeOf(DType::kF16), 2);
  EXPECT_EQ(SizeOf(DType::kBF16), 2);
  EXPECT_EQ(SizeOf(DType::kByte), 1);
  EXPECT_EQ(DTypeName(DType::kBF16), "BF16");
  EXPECT_EQ(DTypeName(DType::kByte), "U8");
}

TEST(BufferTest, SlicesReferToTheSameElements) {
  std::vector<double> values = {0, 1, 2, 3, 4};
  const Buffer buffer = AsBuffer(absl::MakeSpan(values));
  EXPECT_EQ(buffer.bytes(), 40);
  const Buffer slice = buffer.Slice(1, 3);
  EXPECT_EQ(slice.count, 3);
  EXPECT_EQ(slice.type, DType::kF64);
  EXPECT_EQ(slice.as<double>()[2], 3);
  slice.Slice(1, 1).as<double>()[0] = 7;
  EXPECT_EQ(values[2], 7);
  EXPECT_EQ(buffer.Slice(5, 0).count, 0);
}

TEST(BufferDeathTest, ElementsAreNotReinterpreted) {
  std::vector<float> values(2);
  const Buffer buffer = AsBuffer(absl::MakeSpan(values));
  EXPECT_DEATH(buffer.as<double>(), "buffer holds F32");
  Buffer device = buffer;
  device.place = Place::kDevice;
  EXPECT_DEATH(device.as<float>(), "buffer holds F32");
}

TEST(ArenaTest, IsAlignedAndZeroed) {
  for (const int64_t count : {1, 31, 32, 33, 1000}) {
    const Arena arena(count, DType::kF32);
    const Buffer buffer = arena.buffer();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data) % 128, 0u);
    EXPECT_EQ(buffer.count, count);
    EXPECT_EQ(buffer.place, Place::kHost);
    for (const float value : buffer.as<float>()) ASSERT_EQ(value, 0);
  }
}

TEST(ArenaTest, MayBeEmpty) {
  EXPECT_TRUE(Arena().empty());
  const Arena arena(0, DType::kI64);
  EXPECT_TRUE(arena.empty());
  EXPECT_EQ(arena.buffer().as<int64_t>().size(), 0u);
}

TEST(ArenaTest, KeepsItsMemoryWhenMoved) {
  Arena arena(3, DType::kI32);
  arena.buffer().as<int32_t>()[2] = 5;
  void* data = arena.buffer().data;
  const Arena moved = std::move(arena);
  EXPECT_EQ(moved.buffer().data, data);
  EXPECT_EQ(moved.buffer().as<int32_t>()[2], 5);
}

TEST(ArenaTest, OnVirtualThereIsASizeAndNoMemory) {
  const Arena arena(int64_t{1} << 50, DType::kF32, Place::kVirtual);
  EXPECT_EQ(arena.buffer().data, nullptr);
  EXPECT_EQ(arena.buffer().count, int64_t{1} << 50);
  EXPECT_EQ(arena.buffer().place, Place::kVirtual);
  EXPECT_EQ(Arena(3, DType::kF32).buffer().place, Place::kHost);
}

}  // namespace
}  // namespace starling
