// State as named tensors, for files: written tensor by tensor under "<state>/<tensor>", without
// padding, so that it can be read back whatever the size of buckets.
#ifndef CORE_STATE_TENSORS_H_
#define CORE_STATE_TENSORS_H_

#include <cstdint>
#include <deque>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/safetensors.h"
#include "core/state.h"

namespace starling {

// Collects what it visits. Tensors are not copied: they are what the state is when they are
// written.
class TensorSaver final : public StateVisitor {
 public:
  // `layout` is not owned; null: nothing is in parameter layout.
  explicit TensorSaver(const Layout* layout) : layout_(layout) {}

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                           Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

  const TensorMap& tensors() const { return tensors_; }

 private:
  // A copy of what may not stay where it is.
  void Keep(absl::string_view name, Buffer state);

  const Layout* const layout_;
  TensorMap tensors_;
  std::deque<std::string> copies_;
};

// Replaces what it visits by the tensors of that name. DATA_LOSS names one that is missing, or of
// another type or shape.
class TensorLoader final : public StateVisitor {
 public:
  // Neither is owned.
  TensorLoader(const Layout* layout, const TensorMap* tensors)
      : layout_(layout), tensors_(tensors) {}

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                           Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

  // DATA_LOSS names a tensor that nothing has asked for.
  absl::Status CheckAllUsed() const;

 private:
  absl::Status Load(const std::string& name, absl::Span<const int64_t> shape, Buffer state);

  const Layout* const layout_;
  const TensorMap* const tensors_;
  std::set<std::string> used_;
};

}  // namespace starling

#endif  // CORE_STATE_TENSORS_H_
