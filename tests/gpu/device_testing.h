// Numbers on the device, for tests.
#ifndef TESTS_GPU_DEVICE_TESTING_H_
#define TESTS_GPU_DEVICE_TESTING_H_

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "core/status.h"
#include "gtest/gtest.h"

namespace starling {

// In a test fixture's SetUp.
#define SKIP_WITHOUT_DEVICE() \
  if (LinkedDevice() == nullptr) GTEST_SKIP() << "this machine has no GPU that CUDA can use"

// Memory of the device; what it held before is not what anything expects.
class DeviceArena {
 public:
  DeviceArena(int64_t count, DType type) {
    const auto memory = LinkedDevice()->Allocate(count * SizeOf(type) + 1);
    CHECK_OK(memory);
    buffer_ = {*memory, count, type, Place::kDevice};
  }
  ~DeviceArena() { LinkedDevice()->Free(buffer_.data); }
  DeviceArena(DeviceArena&& other) noexcept : buffer_(std::exchange(other.buffer_, {})) {}

  Buffer buffer() const { return buffer_; }

 private:
  Buffer buffer_;
};

// Equal numbers on the host and on the device.
struct Twins {
  Twins(int64_t count, DType type) : host(count, type), device(count, type) {}

  Arena host;
  DeviceArena device;

  void Upload() const { ops::Copy(host.buffer(), device.buffer()); }
  Arena Downloaded() const {
    Arena copy(host.count(), host.buffer().type);
    ops::Copy(device.buffer(), copy.buffer());
    CHECK_OK(LinkedDevice()->Wait(CurrentQueue()));
    return copy;
  }
};

// Normally distributed ones; `which` says which. Absolute values if `positive`.
inline Twins RandomTwins(int64_t count, DType type, int which, bool positive = false) {
  Twins twins(count, type);
  std::vector<double> numbers(static_cast<size_t>(count));
  Random random(StreamKey(3, Purpose::kTest, which, 0));
  for (double& number : numbers) {
    number = random.Normal();
    if (positive && number < 0) number = -number;
  }
  ops::Convert(AsBuffer(absl::MakeSpan(numbers)), twins.host.buffer());
  twins.Upload();
  return twins;
}

// Both hold the same bits.
inline void ExpectSameBits(const Twins& twins, const std::string& what) {
  const Arena device = twins.Downloaded();
  EXPECT_EQ(std::memcmp(device.buffer().data, twins.host.buffer().data, device.buffer().bytes()), 0)
      << what;
}

}  // namespace starling

#endif  // TESTS_GPU_DEVICE_TESTING_H_
