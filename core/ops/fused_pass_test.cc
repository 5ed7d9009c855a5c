#include "core/ops/fused_pass.h"

#include <array>
#include <cstring>
#include <type_traits>
#include <vector>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "core/ops/testing.h"
#include "core/random/random.h"

// Once, as in a header.
#ifndef CORE_OPS_FUSED_PASS_TEST_PASS_
#define CORE_OPS_FUSED_PASS_TEST_PASS_
namespace starling {
using TestStep = std::array<double, 2>;  // learning rate, eps
STARLING_DECLARE_FUSED_PASS(TestPass, TestStep);
}  // namespace starling
#endif

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/fused_pass_test.cc"
#include "core/ops/fused_pass-inl.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace HWY_NAMESPACE {

// Has every operation, a state that is written and one that is only read.
template <typename V>
class TestRule {
 public:
  static constexpr int kStates = 2;
  static constexpr int kWritten = 1;

  explicit TestRule(const TestStep& step) : lr_(step[0]), eps_(step[1]) {}

  void operator()(V& x, V g, V* state) const {
    using ops::Sqrt;
    state[0] = state[0] + g * g;
    x = x - lr_ * g / (Sqrt(state[0]) + eps_) * state[1];
  }

 private:
  V lr_, eps_;
};

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace starling
HWY_AFTER_NAMESPACE();

STARLING_FUSED_PASS(TestPass, TestRule, TestStep);

#if HWY_ONCE
#include "gtest/gtest.h"

namespace starling {
namespace {

constexpr TestStep kStep{0.1, 0.01};
constexpr int64_t kCount = 160;

template <typename T>
struct Memory {
  std::vector<T> x, gradient, written, read, a, b, copy;

  Memory() : copy(kCount) {
    Random random(StreamKey(7, Purpose::kTest, 0, 0));
    for (std::vector<T>* values : {&x, &gradient, &written, &read, &a, &b}) {
      for (int64_t i = 0; i < kCount; ++i) values->push_back(static_cast<T>(random.Uniform()));
    }
  }

  static Buffer Of(std::vector<T>& values) { return AsBuffer(absl::MakeSpan(values)); }

  void Run(absl::Span<const Source> mix, Buffer copy_to, Range range) {
    const Buffer state[] = {Of(written), Of(read)};
    TestPass({Of(x), Of(gradient), mix, copy_to, state, range}, kStep);
  }
};

// The same rule, on plain numbers.
template <typename T>
void RunPlain(Memory<T>* m, int sources, Range range) {
  const HWY_STATIC_DISPATCH(TestRule)<T> rule(kStep);
  const T weights[] = {static_cast<T>(0.5), static_cast<T>(0.3), static_cast<T>(0.2)};
  for (int64_t i = range.offset; i < range.offset + range.count; ++i) {
    const T terms[] = {m->a[i], m->x[i], m->b[i]};
    T x = m->x[i];
    if (sources > 0) x = weights[0] * terms[0];
    for (int k = 1; k < sources; ++k) x = x + weights[k] * terms[k];
    T state[] = {m->written[i], m->read[i]};
    rule(x, m->gradient[i], state);
    m->x[i] = m->copy[i] = x;
    m->written[i] = state[0];
  }
}

template <typename T>
class FusedPassTest : public testing::Test {};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FusedPassTest, Types);

TYPED_TEST(FusedPassTest, EqualsTheRuleOnPlainNumbersOnEveryVectorUnit) {
  using M = Memory<TypeParam>;
  for (int sources = 0; sources <= 3; ++sources) {
    for (Range range : {Range{0, kCount}, Range{32, 64}, Range{64, 0}}) {
      M plain;
      RunPlain(&plain, sources, range);
      ops::ForEachVectorUnit([&](const char* unit) {
        SCOPED_TRACE(testing::Message() << unit << ", " << sources << " sources");
        M fused;
        const Source mix[] = {{0.5, M::Of(fused.a)}, {0.3, M::Of(fused.x)}, {0.2, M::Of(fused.b)}};
        fused.Run(absl::MakeConstSpan(mix, sources), M::Of(fused.copy), range);
        EXPECT_EQ(fused.x, plain.x);
        EXPECT_EQ(fused.copy, plain.copy);
        EXPECT_EQ(fused.written, plain.written);
        EXPECT_EQ(fused.read, plain.read);
      });
    }
  }
}

TYPED_TEST(FusedPassTest, MayCopyIntoASource) {
  using M = Memory<TypeParam>;
  M apart, aliased;
  const Source apart_mix[] = {{0.5, M::Of(apart.a)}, {0.5, M::Of(apart.b)}};
  apart.Run(apart_mix, M::Of(apart.copy), {0, kCount});
  const Source aliased_mix[] = {{0.5, M::Of(aliased.a)}, {0.5, M::Of(aliased.b)}};
  aliased.Run(aliased_mix, M::Of(aliased.b), {0, kCount});
  EXPECT_EQ(aliased.x, apart.x);
  EXPECT_EQ(aliased.b, apart.copy);
}

TYPED_TEST(FusedPassTest, NeedsNoCopy) {
  using M = Memory<TypeParam>;
  M with, without;
  with.Run({}, M::Of(with.copy), {0, kCount});
  without.Run({}, Buffer(), {0, kCount});
  EXPECT_EQ(without.x, with.x);
}

// Sources and a copy of other types: the same as widening before and rounding afterwards.
TYPED_TEST(FusedPassTest, WidensSourcesAndNarrowsTheCopyOnTheWay) {
  using M = Memory<TypeParam>;
  std::vector<DType> types = {DType::kF16, DType::kBF16};
  if (std::is_same_v<TypeParam, double>) types.push_back(DType::kF32);
  for (DType type : types) {
    M plain;
    Arena a(kCount, type), b(kCount, type), expected(kCount, type);
    ops::Convert(M::Of(plain.a), a.buffer());
    ops::Convert(M::Of(plain.b), b.buffer());
    ops::Convert(a.buffer(), M::Of(plain.a));
    ops::Convert(b.buffer(), M::Of(plain.b));
    RunPlain(&plain, 3, {0, kCount});
    ops::Convert(M::Of(plain.copy), expected.buffer());
    ops::ForEachVectorUnit([&](const char* unit) {
      SCOPED_TRACE(testing::Message() << unit << ", " << DTypeName(type));
      M fused;
      Arena copy(kCount, type);  // is a source too
      ops::Copy(b.buffer(), copy.buffer());
      const Source mix[] = {{0.5, a.buffer()}, {0.3, M::Of(fused.x)}, {0.2, copy.buffer()}};
      fused.Run(mix, copy.buffer(), {0, kCount});
      EXPECT_EQ(fused.x, plain.x);
      EXPECT_EQ(fused.written, plain.written);
      EXPECT_EQ(std::memcmp(copy.buffer().data, expected.buffer().data, copy.buffer().bytes()), 0);
    });
  }
}

TEST(FusedPassPlaceTest, LeavesVirtualBuffersAlone) {
  const Buffer x{nullptr, kCount, DType::kF32, Place::kVirtual};
  const Buffer state[] = {x, x};
  TestPass({x, x, {}, x, state, {0, kCount}}, kStep);
}

TEST(FusedPassDeathTest, RefusesBuffersThatDisagree) {
  Memory<float> m;
  std::vector<double> doubles(kCount);
  EXPECT_DEATH(m.Run({}, AsBuffer(absl::MakeSpan(doubles)), {0, 32}),
               "160 x F64 against 160 x F32");
  const Source wide[] = {{1, AsBuffer(absl::MakeSpan(doubles))}};
  EXPECT_DEATH(m.Run(wide, Buffer(), {0, 32}), "160 x F64 against 160 x F32");
  EXPECT_DEATH(m.Run({}, Buffer(), {0, 33}), "\\[0, \\+33\\) of 160");
  EXPECT_DEATH(m.Run({}, Buffer(), {128, 64}), "\\[128, \\+64\\) of 160");
}

}  // namespace
}  // namespace starling
#endif  // HWY_ONCE
