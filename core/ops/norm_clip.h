// Gradient clipping: scaling a vector down to a norm.
#ifndef CORE_OPS_NORM_CLIP_H_
#define CORE_OPS_NORM_CLIP_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/layout.h"

namespace starling::ops {

// Made once for what is clipped again and again. The norm is
//
//   sqrt(sum_r |x_r|^2)
//
// over pieces x_r of x, one or more per tensor: of at most kPiece elements, squared and added in
// double as in Dot, then in the order of tensors. It so depends on tensors, not on where buckets
// end. On a device the same pieces are added in another order, which is always the same.
class NormClip {
 public:
  static constexpr int64_t kPiece = 32768;

  // For the elements in `range`, a bucket or all, of vectors of `layout`. `place` is where they
  // lie, on a device on the card that this thread uses.
  static absl::StatusOr<std::unique_ptr<NormClip>> Create(const Layout& layout, const Range& range,
                                                          Place place);

  // Where the norm of the range of `x`, F32 or F64, exceeds `limit`: scales the range by
  // limit / norm. On a device the host does not wait.
  void Run(double limit, Buffer x) const;

 private:
  NormClip(std::vector<Range> pieces, const Range& range)
      : pieces_(std::move(pieces)), range_(range) {}

  const std::vector<Range> pieces_;
  const Range range_;
  Arena on_device_;  // the pieces: offset and count in turn
  Arena sums_;       // of their squares
};

}  // namespace starling::ops

#endif  // CORE_OPS_NORM_CLIP_H_
