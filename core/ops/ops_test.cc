#include "core/ops/ops.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/testing.h"
#include "core/random/random.h"
#include "gtest/gtest.h"

namespace starling::ops {
namespace {

constexpr int64_t kCounts[] = {0, 1, 7, 31, 32, 33, 4096};

template <typename T>
std::vector<T> Numbers(int64_t count, int seed) {
  Random random(StreamKey(7, Purpose::kTest, seed, 0));
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(random.Normal());
  return values;
}

// The buffer starts one element into its memory: kernels must not need alignment.
template <typename T>
class Misaligned {
 public:
  explicit Misaligned(const std::vector<T>& values) : memory_(values.size() + 1) {
    std::copy(values.begin(), values.end(), memory_.begin() + 1);
  }
  Buffer buffer() { return AsBuffer(absl::Span<T>(memory_).subspan(1)); }
  std::vector<T> values() const { return {memory_.begin() + 1, memory_.end()}; }

 private:
  std::vector<T> memory_;
};

template <typename T>
class OpsTest : public testing::Test {
 protected:
  using Body = std::function<void(const std::vector<T>& x, const std::vector<T>& y)>;

  // Runs `body` for every count on every vector unit.
  static void ForEachCase(const Body& body) {
    for (int64_t count : kCounts) {
      ForEachVectorUnit([&](const char* unit) {
        SCOPED_TRACE(testing::Message() << unit << ", " << count << " elements");
        body(Numbers<T>(count, 1), Numbers<T>(count, 2));
      });
    }
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(OpsTest, Types);

TYPED_TEST(OpsTest, WeightedSumAddsInOrder) {
  using T = TypeParam;
  this->ForEachCase([](const std::vector<T>& x, const std::vector<T>& y) {
    Misaligned<T> a(x), b(y), out(Numbers<T>(x.size(), 3));
    std::vector<T> expected(x.size());
    const T wa = static_cast<T>(0.3), wb = static_cast<T>(0.5), wo = static_cast<T>(0.2);
    for (size_t i = 0; i < x.size(); ++i) {
      expected[i] = wa * x[i] + wo * out.values()[i] + wb * y[i];
    }
    const Source sources[] = {{0.3, a.buffer()}, {0.2, out.buffer()}, {0.5, b.buffer()}};
    WeightedSum(sources, out.buffer());
    EXPECT_EQ(out.values(), expected);
  });
}

TYPED_TEST(OpsTest, WeightedSumOfOne) {
  using T = TypeParam;
  this->ForEachCase([](const std::vector<T>& x, const std::vector<T>& y) {
    Misaligned<T> a(x), out(y);
    const Source sources[] = {{-1.0, a.buffer()}};
    WeightedSum(sources, out.buffer());
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(out.values()[i], -x[i]);
  });
}

TYPED_TEST(OpsTest, ElementwiseOperations) {
  using T = TypeParam;
  this->ForEachCase([](const std::vector<T>& x, const std::vector<T>& y) {
    std::vector<T> axpy = y, scaled = x, product = y, sum = y;
    const T a = static_cast<T>(0.7);
    for (size_t i = 0; i < x.size(); ++i) {
      axpy[i] += a * x[i];
      scaled[i] *= a;
      product[i] *= x[i];
      sum[i] += x[i];
    }
    Misaligned<T> from(x);
    Misaligned<T> to(y);
    Axpy(0.7, from.buffer(), to.buffer());
    EXPECT_EQ(to.values(), axpy);
    to = Misaligned<T>(y);
    Mul(from.buffer(), to.buffer());
    EXPECT_EQ(to.values(), product);
    to = Misaligned<T>(y);
    Add(from.buffer(), to.buffer());
    EXPECT_EQ(to.values(), sum);
    Copy(from.buffer(), to.buffer());
    EXPECT_EQ(to.values(), x);
    Scale(0.7, from.buffer());
    EXPECT_EQ(from.values(), scaled);
    Zero(from.buffer());
    EXPECT_EQ(from.values(), std::vector<T>(x.size(), 0));
  });
}

TYPED_TEST(OpsTest, ABufferMayStandForBothOperands) {
  using T = TypeParam;
  this->ForEachCase([](const std::vector<T>& x, const std::vector<T>&) {
    Misaligned<T> doubled(x);
    Add(doubled.buffer(), doubled.buffer());
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(doubled.values()[i], x[i] + x[i]);
  });
}

TYPED_TEST(OpsTest, ReductionsUseSixteenPartialSums) {
  using T = TypeParam;
  this->ForEachCase([](const std::vector<T>& x, const std::vector<T>& y) {
    double dot[16] = {}, distance[16] = {};
    for (size_t i = 0; i < x.size(); ++i) {
      const double a = x[i], b = y[i];
      dot[i % 16] += a * b;
      distance[i % 16] += (a - b) * (a - b);
    }
    for (int k = 1; k < 16; ++k) {
      dot[0] += dot[k];
      distance[0] += distance[k];
    }
    Misaligned<T> p(x), q(y);
    EXPECT_EQ(Dot(p.buffer(), q.buffer()), dot[0]);
    EXPECT_EQ(SquaredDistance(p.buffer(), q.buffer()), distance[0]);
  });
}

TYPED_TEST(OpsTest, AllFiniteFindsEveryPlace) {
  using T = TypeParam;
  for (T bad : {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                std::numeric_limits<T>::quiet_NaN()}) {
    ForEachVectorUnit([&](const char* unit) {
      SCOPED_TRACE(unit);
      std::vector<T> x(33, std::numeric_limits<T>::max());
      EXPECT_TRUE(AllFinite(AsBuffer(absl::MakeSpan(x))));
      for (T& value : x) {
        const T good = value;
        value = bad;
        EXPECT_FALSE(AllFinite(AsBuffer(absl::MakeSpan(x))));
        value = good;
      }
    });
  }
}

TYPED_TEST(OpsTest, ScaleOrZeroLetsNothingInfiniteThrough) {
  using T = TypeParam;
  std::vector<T> bad = {7};
  const Buffer bad_buffer = AsBuffer(absl::MakeSpan(bad));
  std::vector<T> x(33, 3);
  ScaleOrZero(0.125, AsBuffer(absl::MakeSpan(x)), bad_buffer);
  EXPECT_EQ(x, std::vector<T>(33, T{0.375}));
  EXPECT_EQ(bad[0], 0);
  for (T planted : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
    x.assign(33, 3);
    x[17] = planted;
    ScaleOrZero(0.125, AsBuffer(absl::MakeSpan(x)), bad_buffer);
    EXPECT_EQ(x, std::vector<T>(33, 0));
    EXPECT_EQ(bad[0], 1);
  }
}

TEST(OpsPlaceTest, VirtualBuffersAreLeftAlone) {
  const Buffer x{nullptr, 1000, DType::kF32, Place::kVirtual};
  const Source sources[] = {{1.0, x}};
  WeightedSum(sources, x);
  Axpy(1, x, x);
  Scale(2, x);
  Mul(x, x);
  Add(x, x);
  Copy(x, x);
  Zero(x);
  EXPECT_EQ(Dot(x, x), 0);
  EXPECT_EQ(SquaredDistance(x, x), 0);
  EXPECT_TRUE(AllFinite(x));
  ScaleOrZero(2, x, x.Slice(0, 1));
}

TEST(OpsTypeTest, CopyAndZeroTakeAnyType) {
  std::vector<uint8_t> from = {1, 2, 3}, to(3);
  Copy(AsBuffer(absl::MakeSpan(from)), AsBuffer(absl::MakeSpan(to)));
  EXPECT_EQ(to, from);
  Zero(AsBuffer(absl::MakeSpan(to)));
  EXPECT_EQ(to, std::vector<uint8_t>(3));
}

TEST(OpsDeathTest, RefusesBuffersThatDisagree) {
  std::vector<float> four(4), five(5);
  std::vector<double> doubles(4);
  const Buffer x = AsBuffer(absl::MakeSpan(four));
  EXPECT_DEATH(Add(x, AsBuffer(absl::MakeSpan(five))), "4 x F32 against 5 x F32");
  EXPECT_DEATH(Add(x, AsBuffer(absl::MakeSpan(doubles))), "4 x F32 against 4 x F64");
  std::vector<int32_t> integers(4);
  EXPECT_DEATH(Scale(2, AsBuffer(absl::MakeSpan(integers))), "not on I32");
}

}  // namespace
}  // namespace starling::ops
