// Lanes<D>: a SIMD vector with ordinary operators, so that arithmetic written once as a template
// compiles for every vector unit as for plain float and double, with the same result per element.
//
// A file that includes this (or another -inl.h that does) is compiled once per vector unit. Before
// the include it names itself:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "core/ops/ops.cc"
//
// What belongs to no unit stands between `#if HWY_ONCE` and `#endif`. See Highway's quick
// reference for the rest.
//
// There is deliberately no multiply-add: some units would fuse it, others not, and bits would
// differ between processors.

#include "hwy/foreach_target.h"  // IWYU pragma: keep

// The guard is a toggle, because this is included once per vector unit.
#if defined(CORE_OPS_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CORE_OPS_VECTOR_INL_H_
#undef CORE_OPS_VECTOR_INL_H_
#else
#define CORE_OPS_VECTOR_INL_H_
#endif

#include <cstdint>

#include "absl/types/span.h"
#include "core/buffer.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace ops {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// D is a Highway tag: hn::ScalableTag<float> for whole vectors, hn::CappedTag<float, 1> for one
// element, which makes the tail of an array the same arithmetic as its body.
template <typename D>
struct Lanes {
  using Tag = D;
  using T = hn::TFromD<D>;
  static constexpr int64_t kCount = hn::MaxLanes(D());

  Lanes() = default;
  HWY_INLINE explicit Lanes(hn::Vec<D> vector) : v(vector) {}
  HWY_INLINE explicit Lanes(double value) : v(hn::Set(D(), static_cast<T>(value))) {}

  // Memory needs no alignment beyond T's; on aligned memory this costs nothing.
  static HWY_INLINE Lanes Load(const T* from) { return Lanes(hn::LoadU(D(), from)); }
  HWY_INLINE void Store(T* to) const { hn::StoreU(v, D(), to); }

  hn::Vec<D> v;
};

template <typename D>
HWY_INLINE Lanes<D> operator+(Lanes<D> a, Lanes<D> b) {
  return Lanes<D>(hn::Add(a.v, b.v));
}
template <typename D>
HWY_INLINE Lanes<D> operator-(Lanes<D> a, Lanes<D> b) {
  return Lanes<D>(hn::Sub(a.v, b.v));
}
template <typename D>
HWY_INLINE Lanes<D> operator*(Lanes<D> a, Lanes<D> b) {
  return Lanes<D>(hn::Mul(a.v, b.v));
}
template <typename D>
HWY_INLINE Lanes<D> operator/(Lanes<D> a, Lanes<D> b) {
  return Lanes<D>(hn::Div(a.v, b.v));
}
template <typename D>
HWY_INLINE Lanes<D> Sqrt(Lanes<D> a) {
  return Lanes<D>(hn::Sqrt(a.v));
}

// Returns elements [i, i + V::kCount) of sum_j weight_j * values_j, added in this order. At least
// one source; all have V's type. Weights are rounded to it.
template <typename V>
HWY_INLINE V Mix(absl::Span<const Source> sources, int64_t i) {
  using T = typename V::T;
  const Source* source = sources.data();
  const Source* const end = source + sources.size();
  V sum = V(source->weight) * V::Load(static_cast<const T*>(source->values.data) + i);
  while (++source != end) {
    sum = sum + V(source->weight) * V::Load(static_cast<const T*>(source->values.data) + i);
  }
  return sum;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ops
}  // namespace starling
HWY_AFTER_NAMESPACE();

#endif  // CORE_OPS_VECTOR_INL_H_
