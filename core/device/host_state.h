// State that lies on a device, as visitors on the host see it.
#ifndef CORE_DEVICE_HOST_STATE_H_
#define CORE_DEVICE_HOST_STATE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/state.h"

namespace starling {

// Shows everything to another visitor; of what lies on a device, a copy on the host, made behind
// all that the thread's current queue holds. Copies live as long as this.
class HostState final : public StateVisitor {
 public:
  // `visitor` is not owned.
  explicit HostState(StateVisitor* visitor) : visitor_(visitor) {}

  absl::Status Visit(absl::string_view name, Buffer state) override;
  absl::Status VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                           Buffer state) override;
  absl::Status VisitBytes(absl::string_view name, std::string* state) override;

  // `state` itself if it is on the host, else a copy as above.
  absl::StatusOr<Buffer> OnHost(Buffer state);

  // Brings all copies back: call it when `visitor` replaces what it is shown.
  absl::Status PutBack();

 private:
  StateVisitor* const visitor_;
  std::deque<std::pair<Arena, Buffer>> copies_;  // with where they come from
};

}  // namespace starling

#endif  // CORE_DEVICE_HOST_STATE_H_
