// What device kernels do with elements: functors whose At<n>(i) does n consecutive elements from i
// on. n is 16 bytes' worth where buffers are aligned, so that memory is touched in 16-byte pieces,
// and 1 for the rest. They compile for the host too, where tests hold them to core/ops.
//
// Arithmetic and its order are those of core/ops: equal bits, given a compiler that contracts
// nothing.
#ifndef CORE_DEVICE_ELEMENTS_H_
#define CORE_DEVICE_ELEMENTS_H_

#include <cstdint>

#include "core/device/number.h"
#include "core/random/philox.h"

namespace starling::device {

// n numbers that are read or written at once.
template <typename T, int n>
struct alignas(n * sizeof(T)) Pack {
  T v[n];
};

template <int n, typename T>
STARLING_HOST_DEVICE Pack<T, n> Load(const T* from) {
  return *reinterpret_cast<const Pack<T, n>*>(from);
}
template <int n, typename T>
STARLING_HOST_DEVICE void Store(const Pack<T, n>& values, T* to) {
  *reinterpret_cast<Pack<T, n>*>(to) = values;
}

// Numbers of some floating-point type.
struct Numbers {
  void* data;
  DType type;
};

template <DType type, int n, typename T>
STARLING_HOST_DEVICE Pack<T, n> LoadWidened(const void* from, int64_t i) {
  using Raw = typename Format<type>::Raw;
  const Pack<Raw, n> raw = Load<n>(static_cast<const Raw*>(from) + i);
  Pack<T, n> values;
  for (int k = 0; k < n; ++k) values.v[k] = Widened<type, T>(raw.v[k]);
  return values;
}

template <DType type, int n, typename T>
STARLING_HOST_DEVICE void StoreNarrowed(const Pack<T, n>& values, void* to, int64_t i) {
  using Raw = typename Format<type>::Raw;
  Pack<Raw, n> raw;
  for (int k = 0; k < n; ++k) raw.v[k] = Narrowed<type>(values.v[k]);
  Store<n>(raw, static_cast<Raw*>(to) + i);
}

// Elements [i, i + n) of `from`, whose type is no wider than T.
template <typename T, int n>
STARLING_HOST_DEVICE Pack<T, n> LoadAny(const Numbers& from, int64_t i) {
  if (from.type == DType::kF16) return LoadWidened<DType::kF16, n, T>(from.data, i);
  if (from.type == DType::kBF16) return LoadWidened<DType::kBF16, n, T>(from.data, i);
  if (sizeof(T) == 8 && from.type == DType::kF32) {
    const Pack<float, n> single = Load<n>(static_cast<const float*>(from.data) + i);
    Pack<T, n> values;
    for (int k = 0; k < n; ++k) values.v[k] = static_cast<T>(single.v[k]);
    return values;
  }
  return Load<n>(static_cast<const T*>(from.data) + i);
}

template <typename T, int n>
STARLING_HOST_DEVICE void StoreAny(const Pack<T, n>& values, const Numbers& to, int64_t i) {
  if (to.type == DType::kF16) return StoreNarrowed<DType::kF16, n, T>(values, to.data, i);
  if (to.type == DType::kBF16) return StoreNarrowed<DType::kBF16, n, T>(values, to.data, i);
  if constexpr (sizeof(T) == 8) {
    if (to.type == DType::kF32) return StoreNarrowed<DType::kF32, n, T>(values, to.data, i);
  }
  Store<n>(values, static_cast<T*>(to.data) + i);
}

// A weighted sum as a kernel gets it: by value, because it may start long after the call.
struct Terms {
  static constexpr int kMost = 128;

  int count = 0;
  Numbers values[kMost];
  double weight[kMost];
};

// sum_j weight_j * values_j in this order; weights are rounded to T.
template <typename T, int n>
STARLING_HOST_DEVICE Pack<T, n> Mixed(const Terms& terms, int64_t i) {
  Pack<T, n> sum = LoadAny<T, n>(terms.values[0], i);
  const T first = static_cast<T>(terms.weight[0]);
  for (int k = 0; k < n; ++k) sum.v[k] = first * sum.v[k];
  for (int j = 1; j < terms.count; ++j) {
    const T weight = static_cast<T>(terms.weight[j]);
    const Pack<T, n> values = LoadAny<T, n>(terms.values[j], i);
    for (int k = 0; k < n; ++k) sum.v[k] = sum.v[k] + weight * values.v[k];
  }
  return sum;
}

template <typename T>
struct WeightedSum {
  Terms terms;
  Numbers out;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    StoreAny<T, n>(Mixed<T, n>(terms, i), out, i);
  }
};

template <typename T>  // the wider of both types
struct Convert {
  Numbers from, to;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    StoreAny<T, n>(LoadAny<T, n>(from, i), to, i);
  }
};

// What Combine does with an element of y and one of x.
template <typename T>
struct PlusTimes {
  T a;
  STARLING_HOST_DEVICE T operator()(T y, T x) const { return y + a * x; }
};
struct Plus {
  template <typename T>
  STARLING_HOST_DEVICE T operator()(T y, T x) const {
    return y + x;
  }
};
struct Times {
  template <typename T>
  STARLING_HOST_DEVICE T operator()(T y, T x) const {
    return y * x;
  }
};

// y <- operation(y, x).
template <typename T, typename Operation>
struct Combine {
  Operation operation;
  const T* x;
  T* y;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    const Pack<T, n> other = Load<n>(x + i);
    Pack<T, n> values = Load<n>(static_cast<const T*>(y) + i);
    for (int k = 0; k < n; ++k) values.v[k] = operation(values.v[k], other.v[k]);
    Store<n>(values, y + i);
  }
};

template <typename T>
struct Scale {
  T a;
  T* x;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    Pack<T, n> values = Load<n>(static_cast<const T*>(x) + i);
    for (int k = 0; k < n; ++k) values.v[k] = a * values.v[k];
    Store<n>(values, x + i);
  }
};

// bad <- 1 if one of x is not finite; else it stays as it is. Whoever writes writes the same.
template <typename T>
struct MarkNotFinite {
  const T* x;
  T* bad;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    const Pack<T, n> values = Load<n>(x + i);
    for (int k = 0; k < n; ++k) {
      if (!(values.v[k] - values.v[k] == 0)) *bad = 1;
    }
  }
};

// x <- a x, or 0 where bad is not.
template <typename T>
struct ScaleUnless {
  T a;
  const T* bad;
  T* x;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    Pack<T, n> values = Load<n>(static_cast<const T*>(x) + i);
    for (int k = 0; k < n; ++k) values.v[k] = *bad == 0 ? a * values.v[k] : T{0};
    Store<n>(values, x + i);
  }
};

// core/ops/random_mask.h. A piece begins at a multiple of n, so that its words are of one block.
template <typename T>
struct RandomMask {
  uint64_t stream;
  uint32_t limit;
  T kept;
  T* mask;

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    const auto words = WordsOfBlock(stream, static_cast<uint64_t>(i) / 4);
    Pack<T, n> values;
    for (int k = 0; k < n; ++k) values.v[k] = words[i % 4 + k] < limit ? T{0} : kept;
    Store<n>(values, mask + i);
  }
};

// Terms of the reductions, in double whatever T is.
template <typename T>
struct Product {
  const T* x;
  const T* y;
  STARLING_HOST_DEVICE double At(int64_t i) const {
    return static_cast<double>(x[i]) * static_cast<double>(y[i]);
  }
};

template <typename T>
struct SquaredDifference {
  const T* x;
  const T* y;
  STARLING_HOST_DEVICE double At(int64_t i) const {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    return difference * difference;
  }
};

// 1 where an element is not finite: their sum counts.
template <typename T>
struct NotFinite {
  const T* x;
  STARLING_HOST_DEVICE double At(int64_t i) const {
    const T zero = x[i] - x[i];
    return zero == zero ? 0 : 1;
  }
};

// The pass of core/ops/fused_pass.h over [i, i + n).
template <template <typename> class Rule, typename T>
struct FusedPass {
  static constexpr int kStates = Rule<T>::kStates;

  Rule<T> rule;
  T* x;
  const T* gradient;
  T* state[kStates + 1] = {};
  Numbers copy_to = {nullptr, DType::kF32};  // null: none
  Terms mix = {};                            // none: x

  template <int n>
  STARLING_HOST_DEVICE void At(int64_t i) const {
    Pack<T, n> value = mix.count == 0 ? Load<n>(static_cast<const T*>(x) + i) : Mixed<T, n>(mix, i);
    const Pack<T, n> g = Load<n>(gradient + i);
    Pack<T, n> s[kStates + 1];
    for (int j = 0; j < kStates; ++j) s[j] = Load<n>(static_cast<const T*>(state[j]) + i);
    for (int k = 0; k < n; ++k) {
      T own[kStates + 1];
      for (int j = 0; j < kStates; ++j) own[j] = s[j].v[k];
      rule(value.v[k], g.v[k], own);
      for (int j = 0; j < kStates; ++j) s[j].v[k] = own[j];
    }
    Store<n>(value, x + i);
    for (int j = 0; j < Rule<T>::kWritten; ++j) Store<n>(s[j], state[j] + i);
    if (copy_to.data != nullptr) StoreAny<T, n>(value, copy_to, i);
  }
};

}  // namespace starling::device

#endif  // CORE_DEVICE_ELEMENTS_H_
