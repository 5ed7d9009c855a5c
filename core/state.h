// State: everything that a worker must keep between steps (parameters, moments, counters) shows
// itself through one visitor, so that saving, loading, digests and comparisons are each written
// once and are complete for every plug-in.
#ifndef CORE_STATE_H_
#define CORE_STATE_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"

namespace starling {

// Visits state in a fixed order. Names are unique within one owner.
class StateVisitor {
 public:
  virtual ~StateVisitor() = default;

  // `state` is in parameter layout (layout.size elements), or holds fewer elements that mean
  // something of their own (a counter). The visitor may read it or replace its elements. What is
  // in parameter layout stays where it is until its owner changes it.
  virtual absl::Status Visit(absl::string_view name, Buffer state) = 0;

  // A tensor with a shape of its own, whose product is the count (a model's statistics). Default:
  // Visit.
  virtual absl::Status VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                                   Buffer state);

  // State that is no array of numbers. The visitor may read it or replace it.
  virtual absl::Status VisitBytes(absl::string_view name, std::string* state) = 0;
};

// Hands everything on to another visitor with `prefix` in front of the names: several owners may
// use the same ones.
class PrefixVisitor final : public StateVisitor {
 public:
  // `visitor` is not owned.
  PrefixVisitor(absl::string_view prefix, StateVisitor* visitor)
      : prefix_(prefix), visitor_(visitor) {}

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                           Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

 private:
  const std::string prefix_;
  StateVisitor* const visitor_;
};

// Shows numbers whose count is state too, as bytes. DATA_LOSS if a visitor puts something else
// there.
template <typename T>
absl::Status VisitVector(absl::string_view name, std::vector<T>* values, StateVisitor* visitor) {
  std::string bytes(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(T));
  if (absl::Status status = visitor->VisitBytes(name, &bytes); !status.ok()) return status;
  if (bytes.size() % sizeof(T) != 0) {
    return absl::DataLossError(
        absl::StrCat("state ", name, " has ", bytes.size(), " bytes, no multiple of ", sizeof(T)));
  }
  values->resize(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values->data(), bytes.data(), bytes.size());
  return absl::OkStatus();
}

// Computes a 64-bit digest of all that it visits: names and the bits of every element, in name
// order, tensor by tensor and without padding, so that it depends neither on bucket sizes nor on
// the order of visits.
class DigestVisitor final : public StateVisitor {
 public:
  // `layout` is not owned.
  explicit DigestVisitor(const Layout* layout) : layout_(layout) {}

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

  uint64_t digest() const;

  // The digest of each "<name>/<tensor>", or <name> that is not in parameter layout, in the order
  // of visits.
  const std::vector<std::pair<std::string, uint64_t>>& entries() const { return entries_; }

 private:
  const Layout* layout_;
  std::vector<std::pair<std::string, uint64_t>> entries_;
};

// Returns a digest of bytes that are no state, such as files.
uint64_t DigestBytes(absl::string_view bytes);

// Returns one digest of several, depending on their order.
uint64_t CombineDigests(absl::Span<const uint64_t> digests);

}  // namespace starling

#endif  // CORE_STATE_H_
