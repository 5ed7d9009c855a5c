#include "models/model.h"

#include "absl/strings/str_cat.h"

namespace starling {

absl::StatusOr<std::vector<std::vector<int64_t>>> Model::Translate(const Batch&) {
  return absl::UnimplementedError("this model does not translate");
}

absl::Status CheckArena(absl::string_view model, absl::string_view what, const Layout& layout,
                        DType type, const Buffer& arena) {
  const bool host = arena.place == Place::kHost;
  if (arena.count == layout.size && arena.type == type && host) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("model \"", model, "\" needs ", layout.size, " elements of ", DTypeName(type),
                   " in host memory for ", what, "; given are ", arena.count, " of ",
                   DTypeName(arena.type), host ? "" : " elsewhere"));
}

}  // namespace starling
