#include "core/ops/norm_clip.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/device/arena.h"
#include "core/device/device.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling::ops {
namespace {

std::vector<Range> PiecesOf(const Layout& layout, const Range& range) {
  std::vector<Range> pieces;
  for (const TensorInfo& tensor : layout.tensors) {
    if (tensor.offset < range.offset || tensor.offset >= range.offset + range.count) continue;
    for (int64_t begin = 0; begin < tensor.count; begin += NormClip::kPiece) {
      pieces.push_back({tensor.offset + begin, std::min(NormClip::kPiece, tensor.count - begin)});
    }
  }
  return pieces;
}

}  // namespace

absl::StatusOr<std::unique_ptr<NormClip>> NormClip::Create(const Layout& layout, const Range& range,
                                                           Place place) {
  std::unique_ptr<NormClip> clip(new NormClip(PiecesOf(layout, range), range));
  if (place != Place::kDevice) return clip;
  std::vector<int64_t> numbers;
  for (const Range& piece : clip->pieces_) {
    numbers.push_back(piece.offset);
    numbers.push_back(piece.count);
  }
  const Buffer host = AsBuffer(absl::MakeSpan(numbers));
  ASSIGN_OR_RETURN(clip->on_device_, MakeArena(host.count, DType::kI64, place));
  ASSIGN_OR_RETURN(clip->sums_, MakeArena(host.count / 2, DType::kF64, place));
  Copy(host, clip->on_device_.buffer());
  RETURN_IF_ERROR(LinkedDevice()->Wait(CurrentQueue()));  // then `numbers` may go
  return clip;
}

void NormClip::Run(double limit, Buffer x) const {
  if (x.place == Place::kVirtual || pieces_.empty()) return;
  if (x.place == Place::kDevice) {
    Device* const device = CHECK_NOTNULL(LinkedDevice());
    device->SumsOfSquares(x, on_device_.buffer(), sums_.buffer(), CurrentQueue());
    device->ScaleToNorm(limit, sums_.buffer(), x.Slice(range_.offset, range_.count),
                        CurrentQueue());
    return;
  }
  double sum = 0;
  for (const Range& piece : pieces_) {
    const Buffer values = x.Slice(piece.offset, piece.count);
    sum += Dot(values, values);
  }
  const double norm = std::sqrt(sum);
  if (norm > limit) Scale(limit / norm, x.Slice(range_.offset, range_.count));
}

}  // namespace starling::ops
