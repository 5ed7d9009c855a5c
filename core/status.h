// Error handling: every failure that a user, a file or a peer can cause travels as an
// absl::Status that says where, what was found and what would be right; a broken invariant of
// our own is a glog CHECK. No exceptions leave our code.
#ifndef CORE_STATUS_H_
#define CORE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "glog/logging.h"

namespace starling {

// Returns `status` with "`context`: " in front of its message, for adding the place on the way
// up ("worker 3, step 120"). OK stays OK.
inline absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

namespace status_internal {
inline const absl::Status& AsStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& AsStatus(const absl::StatusOr<T>& value) {
  return value.status();
}
}  // namespace status_internal
}  // namespace starling

#define STARLING_CONCAT_INNER_(a, b) a##b
#define STARLING_CONCAT_(a, b) STARLING_CONCAT_INNER_(a, b)

// Leaves the enclosing function with the status of `expr` unless it is OK.
#define RETURN_IF_ERROR(expr)                                         \
  do {                                                                \
    if (absl::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

// ASSIGN_OR_RETURN(auto value, FunctionReturningStatusOr());
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_INNER_(STARLING_CONCAT_(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER_(temporary, lhs, expr) \
  auto temporary = (expr);                            \
  if (!temporary.ok()) return temporary.status();     \
  lhs = std::move(temporary).value()

// For calls that can fail only through a mistake in this program.
#define CHECK_OK(expr)                                                     \
  do {                                                                     \
    const auto& result_ = (expr);                                          \
    CHECK(result_.ok()) << ::starling::status_internal::AsStatus(result_); \
  } while (false)

#endif  // CORE_STATUS_H_
