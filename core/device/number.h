// Numbers of 16 and 32 bits to and from wider ones, one at a time, with the bits of
// ops::Convert. Compiles for host and device.
#ifndef CORE_DEVICE_NUMBER_H_
#define CORE_DEVICE_NUMBER_H_

#include <cstdint>
#include <cstring>

#include "core/buffer.h"
#include "core/host_device.h"

namespace starling::device {

// How numbers of a type are laid out: sign, exponent, then kMantissa bits.
template <DType type>
struct Format;
template <>
struct Format<DType::kF16> {
  using Raw = uint16_t;
  static constexpr int kMantissa = 10, kBias = 15;
};
template <>
struct Format<DType::kBF16> {
  using Raw = uint16_t;
  static constexpr int kMantissa = 7, kBias = 127;
};
template <>
struct Format<DType::kF32> {
  using Raw = uint32_t;
  static constexpr int kMantissa = 23, kBias = 127;
};
template <>
struct Format<DType::kF64> {
  using Raw = uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
};

template <typename To, typename From>
STARLING_HOST_DEVICE To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "");
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

// The bits of `x` as a number of the narrower type `to`: the nearest, ties to even. What is too
// large becomes infinite; a NaN stays one, quiet, with its sign and the upper bits of its payload.
template <DType to, typename T>
STARLING_HOST_DEVICE typename Format<to>::Raw Narrowed(T x) {
  using From = Format<DTypeOf<T>::value>;
  using To = Format<to>;
  using U = typename From::Raw;
  using Raw = typename To::Raw;
  constexpr int kDropped = From::kMantissa - To::kMantissa;
  constexpr U kSign = U{1} << (8 * sizeof(U) - 1);
  constexpr U kInfinity = static_cast<U>(2 * From::kBias + 1) << From::kMantissa;
  constexpr Raw kNarrowInfinity = static_cast<Raw>((2 * To::kBias + 1) << To::kMantissa);
  const U bits = BitCast<U>(x);
  const Raw sign = static_cast<Raw>((bits & kSign) >> (8 * (sizeof(U) - sizeof(Raw))));
  const U magnitude = bits & ~kSign;
  if (magnitude > kInfinity) {
    const U payload = (magnitude >> kDropped) & ((U{1} << To::kMantissa) - 1);
    return static_cast<Raw>(sign | kNarrowInfinity | (Raw{1} << (To::kMantissa - 1)) | payload);
  }
  const int exponent = static_cast<int>(magnitude >> From::kMantissa) - From::kBias + To::kBias;
  if (exponent > 2 * To::kBias) return static_cast<Raw>(sign | kNarrowInfinity);
  // The number's own bits with the narrower exponent; of a subnormal result, its mantissa alone.
  U value = magnitude - (static_cast<U>(From::kBias - To::kBias) << From::kMantissa);
  int dropped = kDropped;
  if (exponent <= 0) {
    const U implicit = magnitude >> From::kMantissa == 0 ? U{0} : U{1} << From::kMantissa;
    value = (magnitude & ((U{1} << From::kMantissa) - 1)) | implicit;
    dropped = kDropped + 1 - exponent;
    // A number that is subnormal in the wide type, too, has its exponent already.
    if (implicit == 0) --dropped;
    if (dropped > From::kMantissa + 1) return sign;
  }
  const U odd = (value >> dropped) & 1;
  const U half = (U{1} << (dropped - 1)) - 1;
  // A carry out of the mantissa is right, up to infinity.
  return static_cast<Raw>(sign | static_cast<Raw>((value + odd + half) >> dropped));
}

// The number of the narrower type `from` with these bits: exact.
template <DType from, typename T>
STARLING_HOST_DEVICE T Widened(typename Format<from>::Raw raw) {
  using From = Format<from>;
  using To = Format<DTypeOf<T>::value>;
  using U = typename To::Raw;
  constexpr int kAdded = To::kMantissa - From::kMantissa;
  constexpr int kBits = 8 * sizeof(raw);
  const U sign = static_cast<U>(raw >> (kBits - 1)) << (8 * sizeof(U) - 1);
  const U magnitude = raw & ((U{1} << (kBits - 1)) - 1);
  const int exponent = static_cast<int>(magnitude >> From::kMantissa);
  U bits = magnitude << kAdded;
  if (exponent == 2 * From::kBias + 1) {
    bits |= static_cast<U>(2 * To::kBias + 1) << To::kMantissa;
  } else if (exponent > 0 || From::kBias == To::kBias) {
    bits += static_cast<U>(To::kBias - From::kBias) << To::kMantissa;
  } else {
    // Subnormal: so many times the smallest one, 2^(1 - bias - mantissa).
    const U smallest = static_cast<U>(To::kBias + 1 - From::kBias - From::kMantissa)
                       << To::kMantissa;
    bits = BitCast<U>(static_cast<T>(magnitude) * BitCast<T>(smallest));
  }
  return BitCast<T>(bits | sign);
}

}  // namespace starling::device

#endif  // CORE_DEVICE_NUMBER_H_
