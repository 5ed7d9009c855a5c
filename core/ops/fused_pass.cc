#include "core/ops/fused_pass.h"

#include "glog/logging.h"

namespace starling::ops::fused_pass_internal {
namespace {

void CheckLikeX(const FusedPass& pass, const Buffer& buffer, bool may_be_narrower = false) {
  const bool type_fits =
      buffer.type == pass.x.type || (may_be_narrower && IsNarrower(buffer.type, pass.x.type));
  CHECK(buffer.count == pass.x.count && type_fits && buffer.place == pass.x.place)
      << buffer.count << " x " << DTypeName(buffer.type) << " against " << pass.x.count << " x "
      << DTypeName(pass.x.type);
}

}  // namespace

Place Check(const FusedPass& pass, int states, bool has_twin) {
  const auto& [offset, count] = pass.range;
  CHECK(offset >= 0 && count >= 0 && offset + count <= pass.x.count &&
        offset % kTensorPadding == 0 && count % kTensorPadding == 0)
      << "[" << offset << ", +" << count << ") of " << pass.x.count;
  CHECK(pass.x.type == DType::kF32 || pass.x.type == DType::kF64) << DTypeName(pass.x.type);
  CHECK(pass.x.place != Place::kDevice || has_twin) << "this pass has no kernel for the device";
  CheckLikeX(pass, pass.gradient);
  if (pass.copy_to.count > 0) CheckLikeX(pass, pass.copy_to, true);
  for (const Source& source : pass.mix) CheckLikeX(pass, source.values, true);
  CHECK_EQ(static_cast<int>(pass.state.size()), states);
  for (const Buffer& state : pass.state) CheckLikeX(pass, state);
  return pass.x.place;
}

}  // namespace starling::ops::fused_pass_internal
