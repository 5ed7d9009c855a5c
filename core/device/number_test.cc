#include "core/device/number.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling::device {
namespace {

Buffer Of(std::vector<uint16_t>* raw, DType type) {
  return {raw->data(), static_cast<int64_t>(raw->size()), type, Place::kHost};
}

template <typename T>
Buffer Of(std::vector<T>* values) {
  return AsBuffer(absl::MakeSpan(*values));
}

// Numbers around everything that rounding must get right, and random bits.
template <typename T>
std::vector<T> HardNumbers() {
  using U = typename Format<DTypeOf<T>::value>::Raw;
  std::vector<T> numbers;
  Random random(StreamKey(1, Purpose::kTest, 0, 0));
  for (int i = 0; i < 200000; ++i) {
    numbers.push_back(BitCast<T>(static_cast<U>(random.Next64())));
    // In the range of halves, where most random bits are not.
    numbers.push_back(
        static_cast<T>(std::ldexp(random.Normal(), static_cast<int>(random.Below(50)) - 30)));
  }
  // Every half, and what lies halfway to the next one and beside that.
  for (int raw = 0; raw < 65536; ++raw) {
    const T half = Widened<DType::kF16, T>(static_cast<uint16_t>(raw));
    const T next = Widened<DType::kF16, T>(static_cast<uint16_t>(raw + 1));
    const T between = half + (next - half) / 2;
    const T infinity = std::numeric_limits<T>::infinity();
    for (const T number :
         {half, between, std::nextafter(between, infinity), std::nextafter(between, -infinity)}) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

template <DType type, typename T>
void ExpectNarrowedAsOnTheHost() {
  std::vector<T> numbers = HardNumbers<T>();
  std::vector<uint16_t> expected(numbers.size());
  ops::Convert(Of(&numbers), Of(&expected, type));
  for (size_t i = 0; i < numbers.size(); ++i) {
    ASSERT_EQ(Narrowed<type>(numbers[i]), expected[i]) << numbers[i];
  }
}

TEST(NumberTest, NarrowsAsTheHostDoes) {
  ExpectNarrowedAsOnTheHost<DType::kF16, float>();
  ExpectNarrowedAsOnTheHost<DType::kF16, double>();
  ExpectNarrowedAsOnTheHost<DType::kBF16, float>();
  ExpectNarrowedAsOnTheHost<DType::kBF16, double>();
}

TEST(NumberTest, NarrowsToSingleAsTheHostDoes) {
  std::vector<double> numbers = HardNumbers<double>();
  std::vector<float> expected(numbers.size());
  ops::Convert(Of(&numbers), Of(&expected));
  for (size_t i = 0; i < numbers.size(); ++i) {
    ASSERT_EQ(Narrowed<DType::kF32>(numbers[i]), BitCast<uint32_t>(expected[i])) << numbers[i];
  }
}

template <DType type, typename T>
void ExpectWidenedAsOnTheHost() {
  std::vector<uint16_t> all(65536);
  for (int raw = 0; raw < 65536; ++raw) all[raw] = static_cast<uint16_t>(raw);
  std::vector<T> expected(all.size());
  ops::Convert(Of(&all, type), Of(&expected));
  using U = typename Format<DTypeOf<T>::value>::Raw;
  for (int raw = 0; raw < 65536; ++raw) {
    const U own = BitCast<U>(Widened<type, T>(static_cast<uint16_t>(raw)));
    ASSERT_EQ(own, BitCast<U>(expected[raw])) << raw;
  }
}

TEST(NumberTest, WidensAsTheHostDoes) {
  ExpectWidenedAsOnTheHost<DType::kF16, float>();
  ExpectWidenedAsOnTheHost<DType::kF16, double>();
  ExpectWidenedAsOnTheHost<DType::kBF16, float>();
  ExpectWidenedAsOnTheHost<DType::kBF16, double>();
}

}  // namespace
}  // namespace starling::device
