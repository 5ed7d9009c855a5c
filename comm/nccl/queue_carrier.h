// The part of a carrier that is about the queues of the linked device.
#ifndef COMM_NCCL_QUEUE_CARRIER_H_
#define COMM_NCCL_QUEUE_CARRIER_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "comm/nccl/carrier.h"
#include "core/device/device.h"

namespace starling {

class QueueCarrier : public Carrier {
 public:
  explicit QueueCarrier(int card) : card_(card) {}

  PointPtr Here() override { return PointAfter(CurrentQueue()); }
  void HoldBack(Point* point) override { HoldBack(point, CurrentQueue()); }
  absl::Status UseThread() override { return LinkedDevice()->UseCard(card_); }

 protected:
  static PointPtr PointAfter(Queue* queue);
  static void HoldBack(Point* point, Queue* queue);

  // What `queue` is given from now on waits until the pieces may be touched.
  static void HoldBackFor(absl::Span<const Piece> pieces, Queue* queue);

 private:
  const int card_;
};

}  // namespace starling

#endif  // COMM_NCCL_QUEUE_CARRIER_H_
