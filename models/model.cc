#include "models/model.h"

#include "absl/strings/str_cat.h"

namespace starling {

absl::StatusOr<std::vector<std::vector<int64_t>>> Model::Translate(const Batch&) {
  return absl::UnimplementedError("this model does not translate");
}

absl::Status CheckArena(absl::string_view model, absl::string_view what, const Layout& layout,
                        DType type, const Buffer& arena, Place place) {
  const bool there = arena.place == place;
  if (arena.count == layout.size && arena.type == type && there) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "model \"", model, "\" needs ", layout.size, " elements of ", DTypeName(type), " in ",
      place == Place::kDevice ? "the device's" : "host", " memory for ", what, "; given are ",
      arena.count, " of ", DTypeName(arena.type), there ? "" : " elsewhere"));
}

absl::Status CheckComputesPlainly(absl::string_view model, const Model::Context& context) {
  if (context.place != Place::kHost) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", model, "\" computes on the host, not on a GPU"));
  }
  if (context.autocast.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("model \"", model, "\" has no mixed precision; ",
                                                   "train.autocast must be NONE"));
  }
  return absl::OkStatus();
}

}  // namespace starling
