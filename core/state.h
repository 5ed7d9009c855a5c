// State: everything that a worker must keep between steps (parameters, moments, counters) shows
// itself through one visitor, so that saving, loading, digests and comparisons are each written
// once and are complete for every plug-in.
#ifndef CORE_STATE_H_
#define CORE_STATE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
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
  // something of their own (a counter). The visitor may read it or replace its elements.
  virtual absl::Status Visit(absl::string_view name, Buffer state) = 0;

  // State that is no array of numbers. The visitor may read it or replace it.
  virtual absl::Status VisitBytes(absl::string_view name, std::string* state) = 0;
};

// Computes a 64-bit digest of all that it visits: names and the bits of every element, in name
// order, tensor by tensor and without padding, so that it depends neither on bucket sizes nor on
// the order of visits.
class DigestVisitor final : public StateVisitor {
 public:
  // `layout` is not owned.
  explicit DigestVisitor(const Layout* layout) : layout_(layout) {}

  // Put in front of the names that follow: several owners may use the same names.
  void set_prefix(absl::string_view prefix) { prefix_ = std::string(prefix); }

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

  uint64_t digest() const;

 private:
  const Layout* layout_;
  std::string prefix_;
  std::map<std::string, uint64_t> entries_;  // by prefix + name (+ tensor)
};

// Returns a digest of bytes that are no state, such as files.
uint64_t DigestBytes(absl::string_view bytes);

// Returns one digest of several, depending on their order.
uint64_t CombineDigests(absl::Span<const uint64_t> digests);

}  // namespace starling

#endif  // CORE_STATE_H_
