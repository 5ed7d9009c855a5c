#include "core/device/elements.h"

#include <cstring>
#include <limits>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/ops/random_mask.h"
#include "core/random/random.h"
#include "gtest/gtest.h"

// The functors of device kernels, run here one piece after the other, have the bits of core/ops.
namespace starling::device {
namespace {

constexpr int64_t kOddCount = 1003;

template <typename Body, typename T>
void Run(const Body& body, int64_t count) {
  constexpr int n = 16 / sizeof(T);
  int64_t i = 0;
  for (; i + n <= count; i += n) body.template At<n>(i);
  for (; i < count; ++i) body.template At<1>(i);
}

class Values {
 public:
  Values(int64_t count, DType type, int which) : arena_(count, type) {
    std::vector<double> numbers(count);
    Random random(StreamKey(7, Purpose::kTest, which, 0));
    for (double& number : numbers) number = random.Normal();
    ops::Convert(AsBuffer(absl::MakeSpan(numbers)), arena_.buffer());
  }

  Buffer buffer() const { return arena_.buffer(); }
  Numbers numbers() const { return {buffer().data, buffer().type}; }
  template <typename T>
  T* data() const {
    return static_cast<T*>(buffer().data);
  }

 private:
  Arena arena_;
};

void ExpectEqual(const Values& a, const Values& b) {
  EXPECT_EQ(std::memcmp(a.buffer().data, b.buffer().data, a.buffer().bytes()), 0);
}

template <typename T>
class ElementsTest : public ::testing::Test {
 protected:
  static constexpr DType kType = DTypeOf<T>::value;
  const Values x_{kOddCount, kType, 1}, own_{kOddCount, kType, 2}, host_{kOddCount, kType, 2};
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ElementsTest, Types);

TYPED_TEST(ElementsTest, Axpy) {
  using T = TypeParam;
  using Axpy = device::Combine<T, device::PlusTimes<T>>;
  const Axpy body{
      {static_cast<T>(0.3)}, this->x_.template data<T>(), this->own_.template data<T>()};
  Run<Axpy, T>(body, kOddCount);
  ops::Axpy(0.3, this->x_.buffer(), this->host_.buffer());
  ExpectEqual(this->own_, this->host_);
}

TYPED_TEST(ElementsTest, ScaleMulAndAdd) {
  using T = TypeParam;
  T* const own = this->own_.template data<T>();
  const T* const x = this->x_.template data<T>();
  Run<device::Scale<T>, T>({static_cast<T>(0.7), own}, kOddCount);
  Run<device::Combine<T, device::Times>, T>({{}, x, own}, kOddCount);
  Run<device::Combine<T, device::Plus>, T>({{}, x, own}, kOddCount);
  ops::Scale(0.7, this->host_.buffer());
  ops::Mul(this->x_.buffer(), this->host_.buffer());
  ops::Add(this->x_.buffer(), this->host_.buffer());
  ExpectEqual(this->own_, this->host_);
}

// As ScaleOrZero comes to on a device.
TYPED_TEST(ElementsTest, ScaleOrZero) {
  using T = TypeParam;
  const Values bad(1, this->kType, 3), host_bad(1, this->kType, 3);
  for (const double last : {2.0, static_cast<double>(std::numeric_limits<T>::infinity())}) {
    this->own_.template data<T>()[kOddCount - 1] = static_cast<T>(last);
    this->host_.template data<T>()[kOddCount - 1] = static_cast<T>(last);
    *bad.template data<T>() = 0;
    Run<device::MarkNotFinite<T>, T>({this->own_.template data<T>(), bad.template data<T>()},
                                     kOddCount);
    Run<device::ScaleUnless<T>, T>(
        {static_cast<T>(0.7), bad.template data<T>(), this->own_.template data<T>()}, kOddCount);
    ops::ScaleOrZero(0.7, this->host_.buffer(), host_bad.buffer());
    ExpectEqual(this->own_, this->host_);
    ExpectEqual(bad, host_bad);
  }
}

TYPED_TEST(ElementsTest, RandomMask) {
  using T = TypeParam;
  constexpr uint32_t kLimit = 1u << 31;
  Run<device::RandomMask<T>, T>(
      {uint64_t{99} << 32, kLimit, static_cast<T>(1.1), this->own_.template data<T>()}, kOddCount);
  ops::RandomMask(uint64_t{99} << 32, kLimit, 1.1, this->host_.buffer());
  ExpectEqual(this->own_, this->host_);
}

TYPED_TEST(ElementsTest, WeightedSumOfAllTypes) {
  using T = TypeParam;
  const Values half(kOddCount, DType::kF16, 3), brain(kOddCount, DType::kBF16, 4);
  const Values single(kOddCount, DType::kF32, 5);
  std::vector<Source> sources = {{0.25, this->x_.buffer()},
                                 {0.3, half.buffer()},
                                 {0.35, brain.buffer()},
                                 {0.1, single.buffer()}};
  for (DType to : {this->kType, DType::kBF16, DType::kF16}) {
    // A narrow sum is computed in F32, so it may not have F64 among its sources.
    if (to != this->kType && this->kType == DType::kF64) continue;
    const Values own(kOddCount, to, 6), host(kOddCount, to, 7);
    device::WeightedSum<T> body;
    body.terms.count = static_cast<int>(sources.size());
    for (size_t j = 0; j < sources.size(); ++j) {
      body.terms.values[j] = {sources[j].values.data, sources[j].values.type};
      body.terms.weight[j] = sources[j].weight;
    }
    body.out = own.numbers();
    Run<device::WeightedSum<T>, T>(body, kOddCount);
    ops::WeightedSum(sources, host.buffer());
    ExpectEqual(own, host);
  }
}

TYPED_TEST(ElementsTest, Convert) {
  using T = TypeParam;
  for (DType to : {DType::kF16, DType::kBF16, DType::kF32}) {
    const Values own(kOddCount, to, 6), host(kOddCount, to, 7);
    Run<device::Convert<T>, T>({this->x_.numbers(), own.numbers()}, kOddCount);
    ops::Convert(this->x_.buffer(), host.buffer());
    ExpectEqual(own, host);
    const Values back(kOddCount, this->kType, 8), host_back(kOddCount, this->kType, 9);
    Run<device::Convert<T>, T>({own.numbers(), back.numbers()}, kOddCount);
    ops::Convert(host.buffer(), host_back.buffer());
    ExpectEqual(back, host_back);
  }
}

// As in core/ops/fused_pass.h: a state that is written and one that is only read.
template <typename V>
class TestRule {
 public:
  static constexpr int kStates = 2, kWritten = 1;
  explicit TestRule(V lr) : lr_(lr) {}
  void operator()(V& x, V g, V* state) const {
    state[0] = state[0] + g * g;
    x = x - lr_ * g * state[0] * state[1];
    state[1] = 0;  // goes nowhere
  }

 private:
  V lr_;
};

TYPED_TEST(ElementsTest, FusedPassMixesUpdatesAndCopies) {
  using T = TypeParam;
  const Values gradient(kOddCount, this->kType, 11), neighbour(kOddCount, DType::kBF16, 12);
  const Values written(kOddCount, this->kType, 13), read(kOddCount, this->kType, 14);
  const Values copy(kOddCount, DType::kF16, 15), expected_copy(kOddCount, DType::kF16, 16);
  const Values before_written(kOddCount, this->kType, 13), before_read(kOddCount, this->kType, 14);
  device::FusedPass<TestRule, T> body{TestRule<T>(static_cast<T>(0.1)),
                                      this->own_.template data<T>(), gradient.template data<T>()};
  body.state[0] = written.template data<T>();
  body.state[1] = read.template data<T>();
  body.copy_to = copy.numbers();
  body.mix.count = 2;
  body.mix.values[0] = this->own_.numbers();
  body.mix.values[1] = neighbour.numbers();
  body.mix.weight[0] = 0.75;
  body.mix.weight[1] = 0.25;
  Run<device::FusedPass<TestRule, T>, T>(body, kOddCount);

  ops::WeightedSum({{0.75, this->host_.buffer()}, {0.25, neighbour.buffer()}},
                   this->host_.buffer());
  const TestRule<T> rule(static_cast<T>(0.1));
  for (int64_t i = 0; i < kOddCount; ++i) {
    T state[] = {before_written.template data<T>()[i], before_read.template data<T>()[i]};
    rule(this->host_.template data<T>()[i], gradient.template data<T>()[i], state);
    before_written.template data<T>()[i] = state[0];
  }
  ops::Convert(this->host_.buffer(), expected_copy.buffer());
  ExpectEqual(this->own_, this->host_);
  ExpectEqual(written, before_written);
  ExpectEqual(read, before_read);
  ExpectEqual(copy, expected_copy);
}

TYPED_TEST(ElementsTest, TermsOfReductions) {
  using T = TypeParam;
  const T* const x = this->x_.template data<T>();
  const T* const y = this->own_.template data<T>();
  double dot = 0, distance = 0;
  for (int64_t i = 0; i < kOddCount; ++i) {
    dot += device::Product<T>{x, y}.At(i);
    distance += device::SquaredDifference<T>{x, y}.At(i);
  }
  EXPECT_NEAR(dot, ops::Dot(this->x_.buffer(), this->own_.buffer()), 1e-10);
  EXPECT_NEAR(distance, ops::SquaredDistance(this->x_.buffer(), this->own_.buffer()), 1e-9);
  T special[] = {1, std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN(),
                 std::numeric_limits<T>::max()};
  int count = 0;
  for (int i = 0; i < 4; ++i) count += static_cast<int>(device::NotFinite<T>{special}.At(i));
  EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace starling::device
