#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/run/build_stamp.h"

// Of build_patch_stamp.cc.
extern const char kStarlingBuildPatch[];

namespace starling {

std::string BuildPatch() {
  absl::string_view stamp = kStarlingBuildPatch;
  std::string patch;
  // Other words are Bazel's own, for a build that is not stamped.
  if (!absl::ConsumePrefix(&stamp, "patch:") || !absl::Base64Unescape(stamp, &patch)) return "";
  return patch;
}

}  // namespace starling
