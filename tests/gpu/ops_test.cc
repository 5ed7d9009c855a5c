// core/ops on the device: the bits of the host, on odd sizes and offsets.
#include "core/ops/ops.h"

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/layout.h"
#include "core/ops/norm_clip.h"
#include "core/ops/random_mask.h"
#include "core/status.h"
#include "gtest/gtest.h"
#include "tests/gpu/device_testing.h"

namespace starling {
namespace {

constexpr DType kComputed[] = {DType::kF32, DType::kF64};
constexpr DType kFloats[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64};
constexpr int64_t kCounts[] = {0, 1, 3, 31, 1024, 100003, 5000001};

class DeviceOpsTest : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }

  // Calls check(type, count, what) for each.
  template <typename Check>
  static void ForEach(const Check& check) {
    for (DType type : kComputed) {
      for (int64_t count : kCounts) check(type, count, absl::StrCat(DTypeName(type), " x ", count));
    }
  }
};

TEST_F(DeviceOpsTest, ElementByElement) {
  ForEach([](DType type, int64_t count, const std::string& what) {
    const Twins x = RandomTwins(count, type, 1), y = RandomTwins(count, type, 2);
    for (const Buffer& side : {y.host.buffer(), y.device.buffer()}) {
      const Buffer from = side.place == Place::kHost ? x.host.buffer() : x.device.buffer();
      ops::Axpy(0.3, from, side);
      ops::Scale(1.7, side);
      ops::Mul(from, side);
      ops::Add(from, side);
    }
    ExpectSameBits(y, what);
    ops::Zero(y.host.buffer());
    ops::Zero(y.device.buffer());
    ExpectSameBits(y, what + " zero");
    ops::Copy(x.host.buffer(), y.host.buffer());
    ops::Copy(x.device.buffer(), y.device.buffer());
    ExpectSameBits(y, what + " copy");
  });
}

TEST_F(DeviceOpsTest, Slices) {
  // From the second element on nothing is aligned to 16 bytes.
  const Twins x = RandomTwins(1001, DType::kF32, 1), y = RandomTwins(1001, DType::kF32, 2);
  ops::Axpy(0.3, x.host.buffer().Slice(1, 997), y.host.buffer().Slice(3, 997));
  ops::Axpy(0.3, x.device.buffer().Slice(1, 997), y.device.buffer().Slice(3, 997));
  ExpectSameBits(y, "slices");
}

TEST_F(DeviceOpsTest, WeightedSumsOfAllTypes) {
  for (DType to : kFloats) {
    for (int64_t count : kCounts) {
      std::vector<Twins> values;
      for (DType from : kFloats) {
        const bool too_wide = from == DType::kF64 && to != DType::kF64;
        if (!too_wide) values.push_back(RandomTwins(count, from, static_cast<int>(values.size())));
      }
      const Twins out(count, to);
      std::vector<Source> host, device;
      for (size_t j = 0; j < values.size(); ++j) {
        const double weight = 0.1 + 0.2 * static_cast<double>(j);
        host.push_back({weight, values[j].host.buffer()});
        device.push_back({weight, values[j].device.buffer()});
      }
      ops::WeightedSum(host, out.host.buffer());
      ops::WeightedSum(device, out.device.buffer());
      ExpectSameBits(out, absl::StrCat(DTypeName(to), " x ", count));
    }
  }
}

TEST_F(DeviceOpsTest, Conversions) {
  for (DType from : kFloats) {
    for (DType to : kFloats) {
      const Twins x = RandomTwins(100003, from, 1), y(100003, to);
      ops::Convert(x.host.buffer(), y.host.buffer());
      ops::Convert(x.device.buffer(), y.device.buffer());
      ExpectSameBits(y, absl::StrCat(DTypeName(from), " to ", DTypeName(to)));
    }
  }
}

// sum_i term(x_i, y_i), rounded once.
double Summed(const Twins& x, const Twins& y, double (*term)(double, double)) {
  const Arena a(x.host.count(), DType::kF64), b(y.host.count(), DType::kF64);
  ops::Convert(x.host.buffer(), a.buffer());
  ops::Convert(y.host.buffer(), b.buffer());
  long double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    sum += term(a.buffer().as<double>()[i], b.buffer().as<double>()[i]);
  }
  return static_cast<double>(sum);
}

TEST_F(DeviceOpsTest, ReductionsAreTheSameEachTimeAndRight) {
  ForEach([](DType type, int64_t count, const std::string& what) {
    const Twins x = RandomTwins(count, type, 1), y = RandomTwins(count, type, 2);
    // Each term passes through so many additions, and has been rounded twice before.
    const double rounding = (static_cast<double>(count) / 65536 + 19) * 0x1p-53;
    const double dot = ops::Dot(x.device.buffer(), y.device.buffer());
    const double absolute = Summed(x, y, [](double a, double b) { return std::abs(a * b); });
    EXPECT_NEAR(dot, Summed(x, y, [](double a, double b) { return a * b; }), rounding * absolute)
        << what;
    EXPECT_EQ(dot, ops::Dot(x.device.buffer(), y.device.buffer())) << what;
    const double distance = Summed(x, y, [](double a, double b) { return (a - b) * (a - b); });
    EXPECT_NEAR(ops::SquaredDistance(x.device.buffer(), y.device.buffer()), distance,
                rounding * distance)
        << what;
    EXPECT_TRUE(ops::AllFinite(x.device.buffer())) << what;
    if (count == 0) return;
    // One infinite number, the last.
    ops::Scale(1e308, y.host.buffer().Slice(count - 1, 1));
    ops::Scale(1e308, y.host.buffer().Slice(count - 1, 1));
    y.Upload();
    EXPECT_FALSE(ops::AllFinite(y.device.buffer())) << what;
  });
}

TEST_F(DeviceOpsTest, NormClipIsThatOfTheHostAndAlwaysTheSame) {
  ForEach([](DType type, int64_t count, const std::string& what) {
    if (count == 0) return;
    // Tensors of very different sizes, most of which begin where nothing is aligned.
    std::vector<TensorInfo> tensors;
    for (int64_t rest = count; rest > 0; rest -= tensors.back().shape[0]) {
      tensors.emplace_back().shape = {(rest + 1) / 2};
    }
    const Layout layout = MakeLayout(std::move(tensors), /*bucket_bytes=*/1, SizeOf(type));
    const Twins x = RandomTwins(layout.size, type, 1);
    const Range all = {0, layout.size};
    const auto on_host = ops::NormClip::Create(layout, all, Place::kHost);
    const auto on_device = ops::NormClip::Create(layout, all, Place::kDevice);
    CHECK_OK(on_host);
    CHECK_OK(on_device);
    (*on_device)->Run(1e6, x.device.buffer());
    ExpectSameBits(x, what + ", within the limit");
    (*on_device)->Run(0.25, x.device.buffer());
    const Arena clipped = x.Downloaded();
    x.Upload();
    (*on_device)->Run(0.25, x.device.buffer());
    const Arena again = x.Downloaded();
    EXPECT_EQ(std::memcmp(again.buffer().data, clipped.buffer().data, again.buffer().bytes()), 0)
        << what;
    (*on_host)->Run(0.25, x.host.buffer());
    const Buffer expected = x.host.buffer();
    const double norm = std::sqrt(ops::Dot(expected, expected));
    const double off = std::sqrt(ops::SquaredDistance(clipped.buffer(), expected));
    EXPECT_LE(off, (type == DType::kF32 ? 1e-7 : 1e-14) * norm) << what;
  });
}

TEST_F(DeviceOpsTest, ScaleOrZeroLetsNothingInfiniteThrough) {
  ForEach([](DType type, int64_t count, const std::string& what) {
    const Twins x = RandomTwins(count, type, 1), bad(1, type);
    const auto scale_both = [&] {
      ops::ScaleOrZero(0.125, x.host.buffer(), bad.host.buffer());
      ops::ScaleOrZero(0.125, x.device.buffer(), bad.device.buffer());
      ExpectSameBits(x, what);
      ExpectSameBits(bad, what);
    };
    scale_both();
    if (count == 0) return;
    ops::Scale(1e308, x.host.buffer().Slice(count / 2, 1));
    ops::Scale(1e308, x.host.buffer().Slice(count / 2, 1));
    x.Upload();
    scale_both();
  });
}

TEST_F(DeviceOpsTest, RandomMasks) {
  ForEach([](DType type, int64_t count, const std::string& what) {
    const Twins mask(count, type);
    for (const Buffer& side : {mask.host.buffer(), mask.device.buffer()}) {
      ops::RandomMask(uint64_t{99} << 32, 1u << 30, 4.0 / 3, side);
    }
    ExpectSameBits(mask, what);
  });
}

TEST_F(DeviceOpsTest, QueuesAreOrderedAndTellWhatWentWrong) {
  const auto queue = LinkedDevice()->NewQueue();
  ASSERT_TRUE(queue.ok()) << queue.status();
  {
    const QueueScope scope(*queue);
    EXPECT_EQ(CurrentQueue(), *queue);
    const Twins x = RandomTwins(1000003, DType::kF32, 1);
    for (int i = 0; i < 10; ++i) {
      ops::Scale(1.1, x.host.buffer());
      ops::Scale(1.1, x.device.buffer());
    }
    ExpectSameBits(x, "ten times");
  }
  EXPECT_EQ(CurrentQueue(), nullptr);
  EXPECT_EQ(LinkedDevice()->Wait(*queue), absl::OkStatus());
  LinkedDevice()->DeleteQueue(*queue);
}

TEST_F(DeviceOpsTest, TooMuchMemoryIsAnErrorInWords) {
  const auto memory = LinkedDevice()->Allocate(int64_t{1} << 50);
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted) << memory.status();
  EXPECT_EQ(LinkedDevice()->UseCard(1000).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace starling
