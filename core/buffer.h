// Buffers: where numbers lie, without owning them. Everything that moves or changes numbers
// (communicators, optimizers, algorithms) speaks in Buffers; core/ops is the only place that
// looks at their elements.
#ifndef CORE_BUFFER_H_
#define CORE_BUFFER_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "glog/logging.h"

namespace starling {

enum class DType { kF32, kF64, kF16, kBF16, kI32, kI64, kByte };

// Where the bytes are. kVirtual: a size without bytes, for time-only simulation; operations on
// it cost modelled time and touch no memory.
enum class Place { kHost, kDevice, kVirtual };

// An ordered queue of device work (a CUDA stream); null on the host.
struct Queue;

int64_t SizeOf(DType type);               // bytes of one element
absl::string_view DTypeName(DType type);  // "F32", as in safetensors files

// Whether `a` and `b` are floating-point types and `b` holds more of a number: F16 and BF16 are
// narrower than F32, F32 than F64.
bool IsNarrower(DType a, DType b);

template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kI64;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kByte;
};

// `count` elements of `type` at `data`. Not owned; a copy refers to the same elements.
struct Buffer {
  void* data = nullptr;
  int64_t count = 0;
  DType type = DType::kF32;
  Place place = Place::kHost;

  int64_t bytes() const { return count * SizeOf(type); }

  // The elements [offset, offset + length).
  Buffer Slice(int64_t offset, int64_t length) const {
    DCHECK(offset >= 0 && length >= 0 && offset + length <= count);
    return {static_cast<char*>(data) + offset * SizeOf(type), length, type, place};
  }

  // The elements, of which there are `count`. CHECK-fails if T is not the buffer's type.
  template <typename T>
  absl::Span<T> as() const {
    CHECK(DTypeOf<T>::value == type && place == Place::kHost) << "buffer holds " << DTypeName(type);
    return absl::Span<T>(static_cast<T*>(data), static_cast<size_t>(count));
  }
};

// A view of `values` as a Buffer.
template <typename T>
Buffer AsBuffer(absl::Span<T> values) {
  return {values.data(), static_cast<int64_t>(values.size()), DTypeOf<T>::value, Place::kHost};
}

// Owned memory, zeroed. On the host it is aligned to 128 bytes (32 floats: no vector unit splits a
// line); on kVirtual there is none. MakeArena (core/device/arena.h) makes one anywhere.
class Arena {
 public:
  Arena() = default;
  Arena(int64_t count, DType type, Place place = Place::kHost);  // kHost or kVirtual

  // Owns what `memory` describes and frees it with `free`.
  Arena(Buffer memory, void (*free)(void*));

  Buffer buffer() const { return {data_.get(), count_, type_, place_}; }
  int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

 private:
  std::unique_ptr<void, void (*)(void*)> data_{nullptr, nullptr};
  int64_t count_ = 0;
  DType type_ = DType::kF32;
  Place place_ = Place::kHost;
};

// One term of a weighted sum: weight * values.
struct Source {
  double weight = 0;
  Buffer values;
};

}  // namespace starling

#endif  // CORE_BUFFER_H_
