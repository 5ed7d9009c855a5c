#include "core/device/deferred_number.h"

#include <utility>

#include "core/buffer.h"
#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {
namespace {

double Read(const DeferredNumber& number) {
  const auto value = number.Read();
  CHECK_OK(value);
  return *value;
}

TEST(DeferredNumber, OfTheHostIsTakenAtOnce) {
  float single = 1.5;
  double twice = 2.5;
  DeferredNumber number;
  EXPECT_EQ(Read(number), 0);
  CHECK_OK(number.Take(AsBuffer(absl::MakeSpan(&single, 1))));
  single = 7;
  EXPECT_EQ(Read(number), 1.5);
  CHECK_OK(number.Take(AsBuffer(absl::MakeSpan(&twice, 1))));
  EXPECT_EQ(Read(number), 2.5);
}

TEST(DeferredNumber, OfADeviceIsWhatItIsWhenTheQueueGetsThere) {
  const auto queue = OwnedQueue::New();
  CHECK_OK(queue);
  const QueueScope scope(queue->get());
  for (const DType type : {DType::kF32, DType::kF64}) {
    const auto arena = MakeArena(1, type, Place::kDevice);
    CHECK_OK(arena);
    const Buffer x = arena->buffer();
    double three = 3;
    Arena host(1, type);
    ops::Convert(AsBuffer(absl::MakeSpan(&three, 1)), host.buffer());
    ops::Copy(host.buffer(), x);
    ops::Scale(2, x);
    DeferredNumber number, later;
    CHECK_OK(number.Take(x));
    ops::Scale(2, x);
    CHECK_OK(later.Take(x));
    const DeferredNumber moved = std::move(number);
    EXPECT_EQ(Read(later), 12);
    EXPECT_EQ(Read(moved), 6);
  }
}

// A copy into memory that has gone would be found by AddressSanitizer.
TEST(DeferredNumber, GoesBeforeItIsRead) {
  const auto queue = OwnedQueue::New();
  CHECK_OK(queue);
  const QueueScope scope(queue->get());
  const auto arena = MakeArena(1, DType::kF64, Place::kDevice);
  CHECK_OK(arena);
  {
    DeferredNumber number;
    CHECK_OK(number.Take(arena->buffer()));
  }
  EXPECT_TRUE(LinkedDevice()->Wait(CurrentQueue()).ok());
}

}  // namespace
}  // namespace starling
