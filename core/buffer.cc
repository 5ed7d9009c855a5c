#include "core/buffer.h"

#include <cstdlib>
#include <cstring>

namespace starling {

int64_t SizeOf(DType type) {
  switch (type) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kByte:
      return 1;
  }
  return 0;
}

absl::string_view DTypeName(DType type) {
  switch (type) {
    case DType::kF32:
      return "F32";
    case DType::kF64:
      return "F64";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
    case DType::kByte:
      return "U8";
  }
  return "?";
}

bool IsNarrower(DType a, DType b) {
  const auto half = [](DType type) { return type == DType::kF16 || type == DType::kBF16; };
  if (b == DType::kF32) return half(a);
  return b == DType::kF64 && (half(a) || a == DType::kF32);
}

namespace {
constexpr int64_t kAlignment = 128;
}  // namespace

Arena::Arena(int64_t count, DType type, Place place) : count_(count), type_(type), place_(place) {
  CHECK(place != Place::kDevice) << "MakeArena allocates on the device";
  if (place == Place::kVirtual) return;
  const int64_t bytes = (count * SizeOf(type) + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes == 0) return;
  data_ = {std::aligned_alloc(kAlignment, bytes), std::free};
  CHECK(data_ != nullptr) << "out of memory: " << bytes << " bytes";
  std::memset(data_.get(), 0, bytes);
}

Arena::Arena(Buffer memory, void (*free)(void*))
    : data_(memory.data, free), count_(memory.count), type_(memory.type), place_(memory.place) {}

}  // namespace starling
