// Conversions between types, against arithmetic that knows nothing of bit tricks, on every vector
// unit; and weighted sums of several types.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/ops/testing.h"
#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling::ops {
namespace {

struct Format {
  DType type;
  int mantissa, bias;
};
constexpr Format kFormats[] = {{DType::kF16, 10, 15}, {DType::kBF16, 7, 127}};

// The number that half `bits` stands for.
double ValueOf(const Format& f, uint16_t bits) {
  const int exponent = (bits & 0x7fff) >> f.mantissa;
  const int fraction = bits & ((1 << f.mantissa) - 1);
  double value;
  if (exponent == 2 * f.bias + 1) {
    value = fraction != 0 ? std::nan("") : HUGE_VAL;
  } else if (exponent == 0) {
    value = std::ldexp(fraction, 1 - f.bias - f.mantissa);
  } else {
    value = std::ldexp(fraction + (1 << f.mantissa), exponent - f.bias - f.mantissa);
  }
  return std::copysign(value, (bits & 0x8000) != 0 ? -1.0 : 1.0);
}

// The half nearest to `x`, of two equally near ones the even one.
uint16_t NearestHalf(const Format& f, double x) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const int infinity = (2 * f.bias + 1) << f.mantissa;
  if (std::isnan(x)) return 0;  // looked at apart
  x = std::abs(x);
  if (std::isinf(x)) return sign | infinity;
  const int exponent = x == 0 ? 1 - f.bias : std::max(std::ilogb(x), 1 - f.bias);
  // In units of the last place: an exact division, and a sum of integers.
  const double units = std::nearbyint(std::ldexp(x, f.mantissa - exponent));
  const double bits = std::ldexp(exponent + f.bias - 1, f.mantissa) + units;
  return sign | (bits < infinity ? static_cast<int>(bits) : infinity);
}

template <typename T>
Buffer BufferOf(std::vector<T>& values) {
  return AsBuffer(absl::MakeSpan(values));
}
Buffer Halves(std::vector<uint16_t>& bits, DType type) {
  return {bits.data(), static_cast<int64_t>(bits.size()), type, Place::kHost};
}

std::vector<uint16_t> AllHalves() {
  std::vector<uint16_t> halves;
  for (int bits = 0; bits < 0x10000; ++bits) halves.push_back(static_cast<uint16_t>(bits));
  return halves;
}

template <typename T>
uint64_t BitsOf(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <typename T>
class ConvertTest : public testing::Test {
 protected:
  // Halves, what lies halfway between them, the next numbers on both sides, special ones, and
  // random bits of all magnitudes.
  static std::vector<T> Interesting(const Format& f) {
    std::vector<T> numbers;
    const T infinity = std::numeric_limits<T>::infinity();
    for (int bits = 0; bits < 0x10000; ++bits) {
      const double half = ValueOf(f, static_cast<uint16_t>(bits));
      if (!std::isfinite(half)) continue;
      double next = ValueOf(f, static_cast<uint16_t>(bits + 1));
      if (std::isinf(next)) next = std::copysign(std::ldexp(1, f.bias + 1), half);
      const double middle = half + (next - half) / 2;
      for (double value : {half, middle}) {
        const T at = static_cast<T>(value);
        numbers.insert(numbers.end(),
                       {at, std::nextafter(at, infinity), std::nextafter(at, -infinity)});
      }
    }
    numbers.insert(numbers.end(), {infinity, -infinity, std::numeric_limits<T>::max(),
                                   std::numeric_limits<T>::lowest(), std::numeric_limits<T>::min(),
                                   std::numeric_limits<T>::denorm_min()});
    Random random(StreamKey(7, Purpose::kTest, 0, 0));
    for (int i = 0; i < 50000; ++i) {
      const double magnitude = std::ldexp(1, static_cast<int>(random.Uniform() * 320) - 160);
      numbers.push_back(static_cast<T>(random.Normal() * magnitude));
    }
    return numbers;
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(ConvertTest, Types);

TYPED_TEST(ConvertTest, WidensEveryHalfExactly) {
  using T = TypeParam;
  for (const Format& f : kFormats) {
    std::vector<uint16_t> halves = AllHalves();
    ForEachVectorUnit([&](const char* unit) {
      SCOPED_TRACE(testing::Message() << unit << ", " << DTypeName(f.type));
      std::vector<T> wide(halves.size());
      Convert(Halves(halves, f.type), BufferOf(wide));
      std::vector<uint16_t> back(halves.size());
      Convert(BufferOf(wide), Halves(back, f.type));
      int wrong = 0;
      for (size_t i = 0; i < halves.size(); ++i) {
        const T expected = static_cast<T>(ValueOf(f, halves[i]));
        const bool same = std::isnan(expected) ? std::isnan(wide[i]) &&
                                                     std::signbit(wide[i]) == (halves[i] >= 0x8000)
                                               : BitsOf(wide[i]) == BitsOf(expected);
        const int quiet = std::isnan(expected) ? 1 << (f.mantissa - 1) : 0;
        wrong += !same || back[i] != (halves[i] | quiet);
      }
      EXPECT_EQ(wrong, 0);
    });
  }
}

TYPED_TEST(ConvertTest, RoundsToTheNearestHalf) {
  using T = TypeParam;
  for (const Format& f : kFormats) {
    std::vector<T> numbers = this->Interesting(f);
    std::vector<uint16_t> expected;
    for (T number : numbers) expected.push_back(NearestHalf(f, number));
    ForEachVectorUnit([&](const char* unit) {
      std::vector<uint16_t> halves(numbers.size());
      Convert(BufferOf(numbers), Halves(halves, f.type));
      int wrong = 0;
      for (size_t i = 0; i < numbers.size() && wrong < 5; ++i) {
        if (halves[i] == expected[i]) continue;
        ++wrong;
        ADD_FAILURE() << unit << ", " << DTypeName(f.type) << ": " << numbers[i] << " gives "
                      << halves[i] << ", not " << expected[i];
      }
    });
  }
}

TYPED_TEST(ConvertTest, KeepsNansNans) {
  using T = TypeParam;
  constexpr int kMantissa = std::numeric_limits<T>::digits - 1;
  std::vector<T> nans;
  for (int shift : {0, 5, kMantissa - 8, kMantissa - 2, kMantissa - 1}) {
    for (int sign : {0, 1}) {
      T nan = std::numeric_limits<T>::infinity();
      const uint64_t bits =
          BitsOf(nan) | uint64_t{1} << shift | static_cast<uint64_t>(sign) << (8 * sizeof(T) - 1);
      std::memcpy(&nan, &bits, sizeof(T));
      nans.push_back(nan);
    }
  }
  for (const Format& f : kFormats) {
    ForEachVectorUnit([&](const char* unit) {
      SCOPED_TRACE(testing::Message() << unit << ", " << DTypeName(f.type));
      std::vector<uint16_t> halves(nans.size());
      Convert(BufferOf(nans), Halves(halves, f.type));
      for (size_t i = 0; i < nans.size(); ++i) {
        const uint64_t payload = BitsOf(nans[i]) >> (kMantissa - f.mantissa);
        const int quiet = ((2 * f.bias + 1) << f.mantissa) | 1 << (f.mantissa - 1);
        EXPECT_EQ(halves[i], (i % 2 == 0 ? 0 : 0x8000) | quiet |
                                 static_cast<int>(payload & ((1 << f.mantissa) - 1)));
      }
    });
  }
}

TEST(ConvertSinglesTest, DoublesBecomeTheNearestFloat) {
  std::vector<double> numbers = {0.0, -0.0, HUGE_VAL, -HUGE_VAL, 1e300, -1e300, 1e-300};
  const float largest = std::numeric_limits<float>::max();
  for (float at : {1.0f, 3.0f, -largest, largest, 1e-38f, 1e-40f, 1e-45f, 0.1f}) {
    const double next = static_cast<double>(std::nextafter(at, 0.0f));
    const double middle = at + (at - next) / 2;
    numbers.insert(numbers.end(), {at, middle, std::nextafter(middle, HUGE_VAL),
                                   std::nextafter(middle, -HUGE_VAL), (at + next) / 2});
  }
  Random random(StreamKey(7, Purpose::kTest, 1, 0));
  for (int i = 0; i < 100000; ++i) {
    const double magnitude = std::ldexp(1, static_cast<int>(random.Uniform() * 320) - 170);
    numbers.push_back(random.Normal() * magnitude);
  }
  ForEachVectorUnit([&](const char* unit) {
    std::vector<float> floats(numbers.size());
    Convert(BufferOf(numbers), BufferOf(floats));
    std::vector<double> back(numbers.size());
    Convert(BufferOf(floats), BufferOf(back));
    int wrong = 0;
    for (size_t i = 0; i < numbers.size(); ++i) {
      const float expected = static_cast<float>(numbers[i]);
      wrong += BitsOf(floats[i]) != BitsOf(expected);
      wrong += BitsOf(back[i]) != BitsOf(static_cast<double>(expected));
    }
    EXPECT_EQ(wrong, 0) << unit;
  });
}

TEST(ConvertHalvesTest, OneHalfBecomesTheOther) {
  std::vector<uint16_t> f16 = AllHalves(), expected;
  for (uint16_t bits : f16)
    expected.push_back(NearestHalf(kFormats[1], ValueOf(kFormats[0], bits)));
  ForEachVectorUnit([&](const char* unit) {
    std::vector<uint16_t> bf16(f16.size());
    Convert(Halves(f16, DType::kF16), Halves(bf16, DType::kBF16));
    int wrong = 0;
    for (size_t i = 0; i < f16.size(); ++i) {
      wrong += !std::isnan(ValueOf(kFormats[0], f16[i])) && bf16[i] != expected[i];
    }
    EXPECT_EQ(wrong, 0) << unit;
  });
}

// Random numbers of `type`, as that type holds them, and as doubles.
struct Numbers {
  Arena memory;
  std::vector<double> values;

  Numbers(DType type, int64_t count, int seed) : memory(count, type), values(count) {
    Random random(StreamKey(7, Purpose::kTest, seed, 0));
    for (double& value : values) value = random.Normal();
    Convert(BufferOf(values), memory.buffer());
    Convert(memory.buffer(), BufferOf(values));
  }
};

// Added up in T, in order, and rounded to the type of the result once.
template <typename T>
void ExpectSumOfTypes(DType result, const std::vector<DType>& types) {
  for (int64_t count : {1, 31, 33, 4096}) {
    std::vector<Numbers> numbers;
    std::vector<Source> sources;
    for (size_t k = 0; k < types.size(); ++k) {
      numbers.emplace_back(types[k], count, static_cast<int>(k));
      sources.push_back({0.3 - 0.2 * static_cast<double>(k), numbers[k].memory.buffer()});
    }
    std::vector<T> sum(count);
    for (int64_t i = 0; i < count; ++i) {
      sum[i] = static_cast<T>(sources[0].weight) * static_cast<T>(numbers[0].values[i]);
      for (size_t k = 1; k < types.size(); ++k) {
        sum[i] += static_cast<T>(sources[k].weight) * static_cast<T>(numbers[k].values[i]);
      }
    }
    Arena expected(count, result);
    Convert(BufferOf(sum), expected.buffer());
    ForEachVectorUnit([&](const char* unit) {
      Arena out(count, result);
      WeightedSum(sources, out.buffer());
      EXPECT_EQ(std::memcmp(out.buffer().data, expected.buffer().data, out.buffer().bytes()), 0)
          << unit << ", " << DTypeName(result) << ", " << count << " elements";
    });
  }
}

TEST(WeightedSumOfTypesTest, ComputesInTheWiderTypeAndRoundsOnce) {
  constexpr DType kF16 = DType::kF16, kBF16 = DType::kBF16, kF32 = DType::kF32, kF64 = DType::kF64;
  ExpectSumOfTypes<float>(kF32, {kF32, kBF16, kF16});
  ExpectSumOfTypes<float>(kBF16, {kBF16, kBF16, kBF16});
  ExpectSumOfTypes<float>(kF16, {kF16, kF16});
  ExpectSumOfTypes<float>(kF16, {kF32, kBF16});
  ExpectSumOfTypes<double>(kF64, {kF64, kF32, kBF16, kF16});
}

TEST(WeightedSumOfTypesTest, MayReplaceASource) {
  Numbers a(DType::kBF16, 100, 1), b(DType::kBF16, 100, 2);
  Arena apart(100, DType::kBF16);
  const Source sources[] = {{1, a.memory.buffer()}, {1, b.memory.buffer()}};
  WeightedSum(sources, apart.buffer());
  WeightedSum(sources, a.memory.buffer());
  EXPECT_EQ(std::memcmp(a.memory.buffer().data, apart.buffer().data, 200), 0);
}

TEST(ConvertDeathTest, RefusesWhatDoesNotFit) {
  std::vector<float> floats(4);
  std::vector<double> doubles(4), five(5);
  std::vector<int32_t> integers(4);
  EXPECT_DEATH(Convert(BufferOf(floats), BufferOf(five)), "4 x F32 against 5 x F64");
  EXPECT_DEATH(Convert(BufferOf(floats), BufferOf(integers)), "not I32");
  const Source wide[] = {{1, BufferOf(doubles)}};
  EXPECT_DEATH(WeightedSum(wide, BufferOf(floats)), "4 x F64 against 4 x F32");
}

TEST(ConvertPlaceTest, VirtualBuffersAreLeftAlone) {
  const Buffer wide{nullptr, 1000, DType::kF32, Place::kVirtual};
  const Buffer narrow{nullptr, 1000, DType::kBF16, Place::kVirtual};
  Convert(wide, narrow);
  const Source sources[] = {{1.0, narrow}};
  WeightedSum(sources, wide);
}

}  // namespace
}  // namespace starling::ops
