// Lanes<D> from and to memory of another type: F16, BF16 and F32 are widened exactly on loading
// and rounded to the nearest, ties to even, on storing. See core/ops/vector-inl.h for what must
// stand before the include.
//
// Highway's own conversions give other bits on one unit than on another (of large doubles and of
// NaNs, for instance), so rounding is done here, on the bits. Overflow gives infinity, underflow
// subnormal numbers; a NaN stays one, quiet, with its sign and the upper bits of its payload.

#include "core/device/number.h"
#include "core/ops/vector-inl.h"

// The guard is a toggle, because this is included once per vector unit.
#if defined(CORE_OPS_CONVERT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CORE_OPS_CONVERT_INL_H_
#undef CORE_OPS_CONVERT_INL_H_
#else
#define CORE_OPS_CONVERT_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace starling {
namespace ops {
namespace HWY_NAMESPACE {

using ::starling::device::Format;

// 2^exponent, for exponents of normal numbers.
template <typename T>
constexpr T PowerOfTwo(int exponent) {
  T power = 1;
  for (; exponent > 0; --exponent) power *= 2;
  for (; exponent < 0; ++exponent) power /= 2;
  return power;
}

// The bits of `x` as a number of type `to`, which is narrower than T.
template <DType to, typename D>
HWY_INLINE hn::Vec<hn::Rebind<typename Format<to>::Raw, D>> Narrowed(Lanes<D> x) {
  using T = typename Lanes<D>::T;
  using From = Format<DTypeOf<T>::value>;
  using To = Format<to>;
  using Raw = typename To::Raw;
  constexpr int kDropped = From::kMantissa - To::kMantissa;
  const D d;
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  constexpr U kInfinity = static_cast<U>(2 * To::kBias + 1) << To::kMantissa;
  constexpr U kQuiet = U{1} << (To::kMantissa - 1);
  const hn::Rebind<Raw, D> narrow;
  const auto select = [=](auto mask, auto yes, auto no) HWY_ATTR {
    return hn::BitCast(du, hn::IfThenElse(mask, hn::BitCast(d, yes), hn::BitCast(d, no)));
  };
  // Shifts `bits` to the right by kDropped, rounding.
  const auto shift = [=](auto bits) HWY_ATTR {
    const auto odd = hn::And(hn::ShiftRight<kDropped>(bits), hn::Set(du, U{1}));
    const auto half = hn::Set(du, (U{1} << (kDropped - 1)) - 1);
    return hn::ShiftRight<kDropped>(hn::Add(bits, hn::Add(odd, half)));
  };

  if constexpr (From::kBias == To::kBias) {
    // The upper part of the bits; a carry out of the mantissa is right up to infinity.
    const auto bits = hn::BitCast(du, x.v);
    const auto nan = hn::Or(hn::ShiftRight<kDropped>(bits), hn::Set(du, kQuiet));
    return hn::TruncateTo(narrow, select(hn::IsNaN(x.v), nan, shift(bits)));
  } else {
    const auto magnitude = hn::Abs(x.v);
    const auto bits = hn::BitCast(du, magnitude);
    const auto sign = hn::AndNot(bits, hn::BitCast(du, x.v));
    auto rounded =
        hn::Sub(shift(bits), hn::Set(du, static_cast<U>(From::kBias - To::kBias) << To::kMantissa));
    // Adding a number whose last bit is worth as much as the last one of a subnormal `to` rounds
    // there, and leaves the result in the last bits.
    constexpr int kSmallest = 1 - To::kBias;
    const auto adder = hn::Set(d, PowerOfTwo<T>(kSmallest + From::kMantissa - To::kMantissa));
    const auto subnormal =
        hn::Sub(hn::BitCast(du, hn::Add(magnitude, adder)), hn::BitCast(du, adder));
    rounded = select(hn::Lt(magnitude, hn::Set(d, PowerOfTwo<T>(kSmallest))), subnormal, rounded);
    // Halfway between the largest number and the next power of two.
    constexpr T kTooLarge = PowerOfTwo<T>(To::kBias) * (2 - PowerOfTwo<T>(-To::kMantissa) / 2);
    rounded = select(hn::Ge(magnitude, hn::Set(d, kTooLarge)), hn::Set(du, kInfinity), rounded);
    const auto payload =
        hn::And(hn::ShiftRight<kDropped>(bits), hn::Set(du, (U{1} << To::kMantissa) - 1));
    rounded = select(hn::IsNaN(x.v), hn::Or(payload, hn::Set(du, kInfinity | kQuiet)), rounded);
    constexpr int kSignShift = 8 * static_cast<int>(sizeof(T) - sizeof(Raw));
    return hn::TruncateTo(narrow, hn::Or(rounded, hn::ShiftRight<kSignShift>(sign)));
  }
}

// Sixteen bits in the lanes of a float or double.
template <typename D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> LoadSixteenBits(D, const uint16_t* from) {
  const auto raw = hn::LoadU(hn::Rebind<uint16_t, D>(), from);
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    return hn::PromoteTo(hn::RebindToUnsigned<D>(), hn::PromoteTo(hn::Rebind<uint32_t, D>(), raw));
  } else {
    return hn::PromoteTo(hn::RebindToUnsigned<D>(), raw);
  }
}

// The numbers of type kF16 or kBF16 at `from`.
template <DType type, typename V>
HWY_INLINE V LoadHalf(const uint16_t* from) {
  using T = typename V::T;
  using From = Format<type>;
  using D = typename V::Tag;
  using To = Format<DTypeOf<T>::value>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  constexpr int kAdded = To::kMantissa - From::kMantissa;
  constexpr int kSignShift = 8 * static_cast<int>(sizeof(T) - sizeof(uint16_t));
  const auto raw = LoadSixteenBits(d, from);
  if constexpr (From::kBias == To::kBias) {
    return V(hn::BitCast(d, hn::ShiftLeft<kAdded>(raw)));
  } else {
    const auto sign = hn::And(raw, hn::Set(du, U{0x8000}));
    auto value = hn::BitCast(d, hn::ShiftLeft<kAdded>(hn::Xor(raw, sign)));
    value = hn::Mul(value, hn::Set(d, PowerOfTwo<T>(To::kBias - From::kBias)));
    const auto special = hn::Ge(value, hn::Set(d, PowerOfTwo<T>(From::kBias + 1)));
    const auto infinity =
        hn::BitCast(d, hn::Set(du, static_cast<U>(2 * To::kBias + 1) << To::kMantissa));
    value = hn::Or(value, hn::IfThenElseZero(special, infinity));
    return V(hn::Or(value, hn::BitCast(d, hn::ShiftLeft<kSignShift>(sign))));
  }
}

// Elements [i, i + V::kCount) of `from`, whose type is no wider than V's.
template <typename V>
HWY_INLINE V LoadAny(const Buffer& from, int64_t i) {
  using T = typename V::T;
  using D = typename V::Tag;
  if (from.type == DType::kF16) {
    return LoadHalf<DType::kF16, V>(static_cast<const uint16_t*>(from.data) + i);
  }
  if (from.type == DType::kBF16) {
    return LoadHalf<DType::kBF16, V>(static_cast<const uint16_t*>(from.data) + i);
  }
  if constexpr (sizeof(T) == 8) {
    if (from.type == DType::kF32) {
      const hn::Rebind<float, D> single;
      return V(hn::PromoteTo(D(), hn::LoadU(single, static_cast<const float*>(from.data) + i)));
    }
  }
  return V::Load(static_cast<const T*>(from.data) + i);
}

template <DType type, typename V>
HWY_INLINE void StoreNarrowed(V value, const Buffer& to, int64_t i) {
  using Raw = typename Format<type>::Raw;
  hn::StoreU(Narrowed<type>(value), hn::Rebind<Raw, typename V::Tag>(),
             static_cast<Raw*>(to.data) + i);
}

// Stores elements [i, i + V::kCount) of `to`, whose type is no wider than V's.
template <typename V>
HWY_INLINE void StoreAny(V value, const Buffer& to, int64_t i) {
  using T = typename V::T;
  if (to.type == DType::kF16) return StoreNarrowed<DType::kF16>(value, to, i);
  if (to.type == DType::kBF16) return StoreNarrowed<DType::kBF16>(value, to, i);
  if constexpr (sizeof(T) == 8) {
    if (to.type == DType::kF32) return StoreNarrowed<DType::kF32>(value, to, i);
  }
  value.Store(static_cast<T*>(to.data) + i);
}

// As Mix, of sources that may each have a type of their own.
template <typename V>
HWY_INLINE V MixAny(absl::Span<const Source> sources, int64_t i) {
  const Source* source = sources.data();
  const Source* const end = source + sources.size();
  V sum = V(source->weight) * LoadAny<V>(source->values, i);
  while (++source != end) sum = sum + V(source->weight) * LoadAny<V>(source->values, i);
  return sum;
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace ops
}  // namespace starling
HWY_AFTER_NAMESPACE();

#endif  // CORE_OPS_CONVERT_INL_H_
