#include "core/device/host_state.h"

#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"

namespace starling {

absl::StatusOr<Buffer> HostState::OnHost(Buffer state) {
  if (state.place != Place::kDevice) return state;
  copies_.emplace_back(Arena(state.count, state.type), state);
  const Buffer copy = copies_.back().first.buffer();
  ops::Copy(state, copy);
  RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));
  return copy;
}

absl::Status HostState::Visit(absl::string_view name, Buffer state) {
  ASSIGN_OR_RETURN(const Buffer on_host, OnHost(state));
  return visitor_->Visit(name, on_host);
}

absl::Status HostState::VisitTensor(absl::string_view name, absl::Span<const int64_t> shape,
                                    Buffer state) {
  ASSIGN_OR_RETURN(const Buffer on_host, OnHost(state));
  return visitor_->VisitTensor(name, shape, on_host);
}

absl::Status HostState::VisitBytes(absl::string_view name, std::string* state) {
  return visitor_->VisitBytes(name, state);
}

absl::Status HostState::PutBack() {
  for (const auto& [copy, state] : copies_) ops::Copy(copy.buffer(), state);
  return copies_.empty() ? absl::OkStatus() : LinkedDevice()->Wait(CurrentQueue());
}

}  // namespace starling
