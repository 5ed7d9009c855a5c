#include "comm/nccl/queue_carrier.h"

#include <memory>
#include <utility>

namespace starling {
namespace {

class DevicePoint final : public Carrier::Point {
 public:
  explicit DevicePoint(QueuePoint point) : point_(std::move(point)) {}
  bool passed() override { return point_.passed(); }
  void HoldBack(Queue* queue) { point_.HoldBack(queue); }

 private:
  QueuePoint point_;
};

}  // namespace

Carrier::PointPtr QueueCarrier::PointAfter(Queue* queue) {
  return std::make_shared<DevicePoint>(QueuePoint::After(queue));
}

void QueueCarrier::HoldBack(Point* point, Queue* queue) {
  static_cast<DevicePoint*>(point)->HoldBack(queue);
}

void QueueCarrier::HoldBackFor(absl::Span<const Piece> pieces, Queue* queue) {
  const Point* last = nullptr;
  for (const Piece& piece : pieces) {
    if (piece.after.get() == last) continue;
    last = piece.after.get();
    HoldBack(piece.after.get(), queue);
  }
}

}  // namespace starling
