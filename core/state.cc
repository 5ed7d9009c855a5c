#include "core/state.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace starling {
namespace {

// Multiply-and-fold over 8-byte words (the two halves of a 128-bit product): faster than memory,
// and every input bit reaches every output bit.
class Hash {
 public:
  void Add(uint64_t word) {
    const __uint128_t product =
        static_cast<__uint128_t>(value_ ^ 0xa0761d6478bd642f) * (word ^ 0xe7037ed1a0b428db);
    value_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64) ^
             (value_ * 0x9e3779b97f4a7c15);
  }

  void AddBytes(const void* data, int64_t bytes) {
    const char* next = static_cast<const char*>(data);
    Add(static_cast<uint64_t>(bytes));
    for (; bytes > 0; bytes -= 8, next += 8) {
      uint64_t word = 0;
      std::memcpy(&word, next, std::min<int64_t>(bytes, 8));
      Add(word);
    }
  }

  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0x243f6a8885a308d3;
};

uint64_t HashOf(const void* data, int64_t bytes) {
  Hash hash;
  hash.AddBytes(data, bytes);
  return hash.value();
}

}  // namespace

absl::Status StateVisitor::VisitTensor(absl::string_view name, absl::Span<const int64_t>,
                                       Buffer state) {
  return Visit(name, state);
}

absl::Status PrefixVisitor::Visit(absl::string_view name, Buffer state) {
  return visitor_->Visit(absl::StrCat(prefix_, name), state);
}

absl::Status PrefixVisitor::VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                                        Buffer state) {
  return visitor_->VisitTensor(absl::StrCat(prefix_, name), shape, state);
}

absl::Status PrefixVisitor::VisitBytes(absl::string_view name, std::string* state) {
  return visitor_->VisitBytes(absl::StrCat(prefix_, name), state);
}

absl::Status DigestVisitor::Visit(absl::string_view name, Buffer state) {
  if (state.count != layout_->size) {
    entries_.emplace_back(name, HashOf(state.data, state.bytes()));
    return absl::OkStatus();
  }
  for (const TensorInfo& tensor : layout_->tensors) {
    const Buffer values = state.Slice(tensor.offset, tensor.count);
    entries_.emplace_back(absl::StrCat(name, "/", tensor.name),
                          HashOf(values.data, values.bytes()));
  }
  return absl::OkStatus();
}

absl::Status DigestVisitor::VisitBytes(absl::string_view name, std::string* state) {
  entries_.emplace_back(name, HashOf(state->data(), static_cast<int64_t>(state->size())));
  return absl::OkStatus();
}

uint64_t DigestVisitor::digest() const {
  auto entries = entries_;
  std::sort(entries.begin(), entries.end());
  Hash hash;
  for (const auto& [name, digest] : entries) {
    hash.AddBytes(name.data(), static_cast<int64_t>(name.size()));
    hash.Add(digest);
  }
  return hash.value();
}

uint64_t DigestBytes(absl::string_view bytes) {
  return HashOf(bytes.data(), static_cast<int64_t>(bytes.size()));
}

uint64_t CombineDigests(absl::Span<const uint64_t> digests) {
  Hash hash;
  for (uint64_t digest : digests) hash.Add(digest);
  return hash.value();
}

}  // namespace starling
