#include "core/ops/ops.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

// Highway compiles this file once per vector unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/ops/ops.cc"
#include "core/ops/convert-inl.h"
#include "core/ops/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace ops {
namespace HWY_NAMESPACE {

// Tells a body which V to compute with.
template <typename V>
struct Use {
  using type = V;
};

template <typename V>
HWY_INLINE V Load(const Buffer& from, int64_t i) {
  return V::Load(static_cast<const typename V::T*>(from.data) + i);
}

template <typename V>
HWY_INLINE void Store(V value, const Buffer& to, int64_t i) {
  value.Store(static_cast<typename V::T*>(to.data) + i);
}

// Calls body(Use<V>, i) for consecutive groups of V::kCount elements: whole vectors, then the
// tail one element at a time.
template <typename T, typename Body>
HWY_INLINE void ForEachGroupOf(int64_t count, const Body& body) {
  using Whole = Lanes<hn::ScalableTag<T>>;
  using One = Lanes<hn::CappedTag<T, 1>>;
  int64_t i = 0;
  for (; i + Whole::kCount <= count; i += Whole::kCount) body(Use<Whole>(), i);
  for (; i < count; ++i) body(Use<One>(), i);
}

template <typename Body>
HWY_INLINE void ForEachGroup(const Buffer& like, const Body& body) {
  if (like.type == DType::kF32) {
    ForEachGroupOf<float>(like.count, body);
  } else {
    ForEachGroupOf<double>(like.count, body);
  }
}

// Lambdas do not inherit the vector unit of their surroundings; HWY_ATTR gives it to them.

void WeightedSumOf(absl::Span<const Source> sources, Buffer out) {
  ForEachGroup(out, [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    Store(Mix<V>(sources, i), out, i);
  });
}

// Of sources and a result that may each have a type of their own.
void WeightedSumOfTypes(absl::Span<const Source> sources, Buffer out) {
  const auto body = [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    StoreAny(MixAny<V>(sources, i), out, i);
  };
  if (out.type == DType::kF64) {
    ForEachGroupOf<double>(out.count, body);
  } else {
    ForEachGroupOf<float>(out.count, body);
  }
}

void ConvertOf(Buffer from, Buffer to) {
  const auto body = [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    StoreAny(LoadAny<V>(from, i), to, i);
  };
  if (from.type == DType::kF64 || to.type == DType::kF64) {
    ForEachGroupOf<double>(to.count, body);
  } else {
    ForEachGroupOf<float>(to.count, body);
  }
}

void AxpyOf(double a, Buffer x, Buffer y) {
  ForEachGroup(y, [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    Store(Load<V>(y, i) + V(a) * Load<V>(x, i), y, i);
  });
}

void ScaleOf(double a, Buffer x) {
  ForEachGroup(x, [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    Store(V(a) * Load<V>(x, i), x, i);
  });
}

void MulOf(Buffer x, Buffer y) {
  ForEachGroup(y, [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    Store(Load<V>(y, i) * Load<V>(x, i), y, i);
  });
}

void AddOf(Buffer x, Buffer y) {
  ForEachGroup(y, [=](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    Store(Load<V>(y, i) + Load<V>(x, i), y, i);
  });
}

// Terms of the reductions, for a vector of doubles as for a single double.
struct Product {
  template <typename V>
  HWY_INLINE V operator()(V x, V y) const {
    return x * y;
  }
};

struct SquaredDifference {
  template <typename V>
  HWY_INLINE V operator()(V x, V y) const {
    const V difference = x - y;
    return difference * difference;
  }
};

template <typename D>
HWY_INLINE Lanes<D> LoadAsDouble(const float* from) {
  return Lanes<D>(hn::PromoteTo(D(), hn::LoadU(hn::Rebind<float, D>(), from)));
}

template <typename D>
HWY_INLINE Lanes<D> LoadAsDouble(const double* from) {
  return Lanes<D>::Load(from);
}

// Returns sum_i term(x_i, y_i) over 16 partial sums, held in as many registers as 16 doubles fill.
template <typename T, typename Term>
HWY_INLINE double ReduceOf(const T* x, const T* y, int64_t count, const Term& term) {
  constexpr int64_t kPartialSums = 16;
  using D = hn::ScalableTag<double>;
  using V = Lanes<D>;
  constexpr int64_t kVectors = kPartialSums / V::kCount;
  V sums[kVectors];
  for (V& sum : sums) sum = V(0.0);
  int64_t i = 0;
  for (; i + kPartialSums <= count; i += kPartialSums) {
    for (int64_t k = 0; k < kVectors; ++k) {
      const int64_t at = i + k * V::kCount;
      sums[k] = sums[k] + term(LoadAsDouble<D>(x + at), LoadAsDouble<D>(y + at));
    }
  }
  double partial[kPartialSums];
  for (int64_t k = 0; k < kVectors; ++k) sums[k].Store(partial + k * V::kCount);
  for (int64_t k = 0; i < count; ++i, ++k) {
    partial[k] += term(static_cast<double>(x[i]), static_cast<double>(y[i]));
  }
  double total = partial[0];
  for (int64_t k = 1; k < kPartialSums; ++k) total += partial[k];
  return total;
}

template <typename Term>
HWY_INLINE double Reduce(const Buffer& x, const Buffer& y, const Term& term) {
  if (x.type == DType::kF32) {
    return ReduceOf(static_cast<const float*>(x.data), static_cast<const float*>(y.data), x.count,
                    term);
  }
  return ReduceOf(static_cast<const double*>(x.data), static_cast<const double*>(y.data), x.count,
                  term);
}

double DotOf(Buffer x, Buffer y) { return Reduce(x, y, Product()); }

double SquaredDistanceOf(Buffer x, Buffer y) { return Reduce(x, y, SquaredDifference()); }

template <typename D>
HWY_INLINE bool IsFinite(Lanes<D> x) {
  return hn::AllTrue(D(), hn::IsFinite(x.v));
}

bool AllFiniteOf(Buffer x) {
  bool finite = true;
  ForEachGroup(x, [=, &finite](auto use, int64_t i) HWY_ATTR {
    using V = typename decltype(use)::type;
    finite &= IsFinite(Load<V>(x, i));
  });
  return finite;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ops
}  // namespace starling
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "core/device/device.h"

namespace starling::ops {
namespace {

HWY_EXPORT(WeightedSumOf);
HWY_EXPORT(WeightedSumOfTypes);
HWY_EXPORT(ConvertOf);
HWY_EXPORT(AxpyOf);
HWY_EXPORT(ScaleOf);
HWY_EXPORT(MulOf);
HWY_EXPORT(AddOf);
HWY_EXPORT(DotOf);
HWY_EXPORT(SquaredDistanceOf);
HWY_EXPORT(AllFiniteOf);

// Whether there are bytes to work on.
bool HasBytes(const Buffer& x) { return x.place != Place::kVirtual; }

// The device that `x` is on; null: it is on the host.
Device* DeviceOf(const Buffer& x) {
  return x.place == Place::kDevice ? CHECK_NOTNULL(LinkedDevice()) : nullptr;
}

bool HasNumbers(const Buffer& x) {
  CHECK(x.type == DType::kF32 || x.type == DType::kF64)
      << "core/ops computes on F32 and F64, not on " << DTypeName(x.type);
  return HasBytes(x);
}

bool HasFloats(const Buffer& x) {
  CHECK(x.type == DType::kF64 || x.type == DType::kF32 || IsNarrower(x.type, DType::kF32))
      << "core/ops converts floating-point numbers, not " << DTypeName(x.type);
  return HasBytes(x);
}

std::string Described(const Buffer& x) { return absl::StrCat(x.count, " x ", DTypeName(x.type)); }

void CheckAlike(const Buffer& x, const Buffer& y) {
  CHECK(x.count == y.count && x.type == y.type && x.place == y.place)
      << Described(x) << " against " << Described(y);
}

}  // namespace

void WeightedSum(absl::Span<const Source> sources, Buffer out) {
  CHECK(!sources.empty());
  const DType computed_in = out.type == DType::kF64 ? DType::kF64 : DType::kF32;
  bool alike = out.type == computed_in;
  for (const Source& source : sources) {
    const bool fits =
        source.values.type == computed_in || IsNarrower(source.values.type, computed_in);
    CHECK(source.values.count == out.count && fits && source.values.place == out.place)
        << Described(source.values) << " against " << Described(out);
    alike &= source.values.type == out.type;
  }
  if (!HasFloats(out)) return;
  if (Device* device = DeviceOf(out)) return device->WeightedSum(sources, out, CurrentQueue());
  if (alike) {
    HWY_DYNAMIC_DISPATCH(WeightedSumOf)(sources, out);
  } else {
    HWY_DYNAMIC_DISPATCH(WeightedSumOfTypes)(sources, out);
  }
}

void Convert(Buffer from, Buffer to) {
  if (from.type == to.type) return Copy(from, to);
  CHECK(from.count == to.count && from.place == to.place)
      << Described(from) << " against " << Described(to);
  if (!HasFloats(from) || !HasFloats(to)) return;
  if (Device* device = DeviceOf(to)) return device->Convert(from, to, CurrentQueue());
  HWY_DYNAMIC_DISPATCH(ConvertOf)(from, to);
}

void Axpy(double a, Buffer x, Buffer y) {
  CheckAlike(x, y);
  if (!HasNumbers(y)) return;
  if (Device* device = DeviceOf(y)) return device->Axpy(a, x, y, CurrentQueue());
  HWY_DYNAMIC_DISPATCH(AxpyOf)(a, x, y);
}

void Scale(double a, Buffer x) {
  if (!HasNumbers(x)) return;
  if (Device* device = DeviceOf(x)) return device->Scale(a, x, CurrentQueue());
  HWY_DYNAMIC_DISPATCH(ScaleOf)(a, x);
}

void Copy(Buffer from, Buffer to) {
  CHECK(from.count == to.count && from.type == to.type && HasBytes(from) == HasBytes(to))
      << Described(from) << " against " << Described(to);
  if (!HasBytes(to) || to.count == 0) return;
  Device* const from_device = DeviceOf(from);
  Device* const device = from_device != nullptr ? from_device : DeviceOf(to);
  if (device == nullptr) {
    std::memmove(to.data, from.data, to.bytes());
  } else {
    device->Copy(from.data, to.data, to.bytes(), CurrentQueue());
  }
}

void Zero(Buffer x) {
  if (!HasBytes(x) || x.count == 0) return;
  if (Device* device = DeviceOf(x)) return device->Zero(x.data, x.bytes(), CurrentQueue());
  std::memset(x.data, 0, x.bytes());
}

void Mul(Buffer x, Buffer y) {
  CheckAlike(x, y);
  if (!HasNumbers(y)) return;
  if (Device* device = DeviceOf(y)) return device->Mul(x, y, CurrentQueue());
  HWY_DYNAMIC_DISPATCH(MulOf)(x, y);
}

void Add(Buffer x, Buffer y) {
  CheckAlike(x, y);
  if (!HasNumbers(y)) return;
  if (Device* device = DeviceOf(y)) return device->Add(x, y, CurrentQueue());
  HWY_DYNAMIC_DISPATCH(AddOf)(x, y);
}

double Dot(Buffer x, Buffer y) {
  CheckAlike(x, y);
  if (!HasNumbers(x)) return 0;
  if (Device* device = DeviceOf(x)) return device->Dot(x, y, CurrentQueue());
  return HWY_DYNAMIC_DISPATCH(DotOf)(x, y);
}

double SquaredDistance(Buffer x, Buffer y) {
  CheckAlike(x, y);
  if (!HasNumbers(x)) return 0;
  if (Device* device = DeviceOf(x)) return device->SquaredDistance(x, y, CurrentQueue());
  return HWY_DYNAMIC_DISPATCH(SquaredDistanceOf)(x, y);
}

bool AllFinite(Buffer x) {
  if (!HasNumbers(x)) return true;
  if (Device* device = DeviceOf(x)) return device->AllFinite(x, CurrentQueue());
  return HWY_DYNAMIC_DISPATCH(AllFiniteOf)(x);
}

void ScaleOrZero(double a, Buffer x, Buffer bad) {
  CHECK(bad.count == 1 && bad.type == x.type && bad.place == x.place)
      << Described(bad) << " beside " << Described(x);
  if (!HasNumbers(x)) return;
  if (Device* device = DeviceOf(x)) return device->ScaleOrZero(a, x, bad, CurrentQueue());
  const bool finite = AllFinite(x);
  double value = finite ? 0 : 1;
  Convert({&value, 1, DType::kF64, Place::kHost}, bad);
  if (finite) return Scale(a, x);
  Zero(x);
}

}  // namespace starling::ops
#endif  // HWY_ONCE
