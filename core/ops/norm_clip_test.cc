#include "core/ops/norm_clip.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/layout.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling::ops {
namespace {

// Two tensors, of which one has several pieces, in buckets of their own.
const Layout& TwoTensors() {
  static const auto* const layout = [] {
    TensorInfo small, large;
    small.name = "small";
    small.shape = {7};
    large.name = "large";
    large.shape = {2 * NormClip::kPiece + 5};
    return new Layout(MakeLayout({small, large}, /*bucket_bytes=*/1, sizeof(double)));
  }();
  return *layout;
}

Range All() { return {0, TwoTensors().size}; }

std::vector<double> Numbers() {
  std::vector<double> numbers(TwoTensors().size);
  Random random(StreamKey(3, Purpose::kTest, 0, 0));
  for (const TensorInfo& tensor : TwoTensors().tensors) {
    for (int64_t i = 0; i < tensor.count; ++i) numbers[tensor.offset + i] = random.Normal();
  }
  return numbers;
}

double NormOf(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

std::vector<double> Clipped(double limit, Place place) {
  std::vector<double> x = Numbers();
  const Buffer host = AsBuffer(absl::MakeSpan(x));
  const auto clip = NormClip::Create(TwoTensors(), All(), place);
  CHECK_OK(clip);
  if (place == Place::kHost) {
    (*clip)->Run(limit, host);
    return x;
  }
  const auto arena = MakeArena(host.count, DType::kF64, place);
  CHECK_OK(arena);
  Copy(host, arena->buffer());
  (*clip)->Run(limit, arena->buffer());
  Copy(arena->buffer(), host);
  CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
  return x;
}

TEST(NormClip, ScalesDownToTheLimit) {
  const std::vector<double> before = Numbers();
  const double norm = NormOf(before);
  const std::vector<double> after = Clipped(0.25 * norm, Place::kHost);
  for (size_t i = 0; i < after.size(); ++i) ASSERT_NEAR(after[i], 0.25 * before[i], 1e-12) << i;
  EXPECT_NEAR(NormOf(after), 0.25 * norm, 1e-9);
}

TEST(NormClip, LeavesAloneWhatIsWithinTheLimit) {
  EXPECT_EQ(Clipped(1.001 * NormOf(Numbers()), Place::kHost), Numbers());
}

TEST(NormClip, OfABucketDoesNotSeeTheOthers) {
  const Range& first = TwoTensors().buckets[0];
  const auto clip = NormClip::Create(TwoTensors(), first, Place::kHost);
  CHECK_OK(clip);
  std::vector<double> x(TwoTensors().size, 100);
  std::fill_n(x.begin(), first.count, 0.0);
  x[0] = 3;
  x[1] = 4;
  (*clip)->Run(2.5, AsBuffer(absl::MakeSpan(x)));
  EXPECT_EQ(x[0], 1.5);
  EXPECT_EQ(x[1], 2);
  EXPECT_EQ(x[first.count], 100);
}

TEST(NormClip, OnADeviceDoesTheSame) {
  const auto queue = OwnedQueue::New();
  CHECK_OK(queue);
  const QueueScope scope(queue->get());
  for (const double limit : {0.5, 1e6}) {
    EXPECT_EQ(Clipped(limit, Place::kDevice), Clipped(limit, Place::kHost)) << limit;
  }
}

TEST(NormClip, WithoutNumbersDoesNothing) {
  const auto clip = NormClip::Create(TwoTensors(), All(), Place::kVirtual);
  CHECK_OK(clip);
  (*clip)->Run(1, {nullptr, All().count, DType::kF32, Place::kVirtual});
}

}  // namespace
}  // namespace starling::ops
