// What moves messages between the memories of cards, and sums there: NCCL; in tests, something that
// a machine without a card has.
//
// All but Here, HoldBack and Stop are called by one thread, in the sequence of the referee's orders
// (referee.h). They return when the work has been handed to the card.
#ifndef COMM_NCCL_CARRIER_H_
#define COMM_NCCL_CARRIER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/buffer.h"

namespace starling {

class Carrier {
 public:
  // A place in the card's work.
  class Point {
   public:
    virtual ~Point() = default;
    virtual bool passed() = 0;
  };
  using PointPtr = std::shared_ptr<Point>;

  // One end of a message.
  struct Piece {
    int peer = 0;
    Buffer data;
    PointPtr after;  // when it may be touched
  };

  virtual ~Carrier() = default;

  // Behind what the calling thread's queue holds; and: what that queue is given from now on waits
  // for `point`.
  virtual PointPtr Here() = 0;
  virtual void HoldBack(Point* point) = 0;

  // Any thread: what is under way and what is called from now on ends soon, with CANCELLED.
  virtual void Stop() = 0;

  // The thread that makes the following calls begins.
  virtual absl::Status UseThread() = 0;

  // What worker 0 tells all, itself included, so that they can Join each other. By any thread.
  virtual absl::StatusOr<std::string> NewWorld() = 0;
  virtual absl::Status Join(const std::string& world) = 0;

  // The next communicator, numbered from 0. Members and others call it.
  virtual absl::Status Make(const std::vector<int>& members) = 0;

  // Starts these together; returns their end.
  virtual absl::StatusOr<PointPtr> Move(int communicator, absl::Span<const Piece> sends,
                                        absl::Span<const Piece> receives) = 0;

  // Of a message to oneself.
  virtual absl::StatusOr<PointPtr> Copy(const Piece& from, const Piece& to) = 0;

  // `values` becomes the sum over the members.
  virtual absl::StatusOr<PointPtr> Sum(int communicator, const Piece& values) = 0;

  // What went wrong on the way, if anything.
  virtual absl::Status Check() = 0;

  // The last call: frees what there is when nothing is under way anywhere; or gives up what is.
  virtual void Close() = 0;
  virtual void Abort() = 0;
};

}  // namespace starling

#endif  // COMM_NCCL_CARRIER_H_
