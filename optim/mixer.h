// The mixer: plain mixing, x <- sum_j W_ij x_j, bucket by bucket, of one or several vectors, over
// any round: groups become one group sum, edges become messages. Every mixing algorithm is written
// on it.
//
//   mixer.Begin(round, b, values);        // starts bucket b's exchange of `values` (one per
//   vector)
//   ...                                   // forward, backward
//   mixer.End(b);                         // waits
//   optimizer->Update({.mix = mixer.sources(b, v, self), ...});
//
// `values` may be outgoing(b, v), the mixer's own send buffer, into which an optimizer's copy_to
// writes; other buffers are copied into it first, so the caller may change them at once.
//
// Order of additions: edges by sender's rank, self among them; groups as AllReduceSum, then one
// multiplication by 1/m. With gamma, W' = gamma W + (1 - gamma) I.
//
// Traffic per vector and round: one message of the bucket's size per edge to another worker, or
// the group sum's. Memory: one send buffer, and one receive buffer per in-neighbour.
#ifndef OPTIM_MIXER_H_
#define OPTIM_MIXER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "optim/worker.h"

namespace starling {

class Mixer {
 public:
  // Messages use the streams stream .. stream + vectors - 1, which no other mixer of this
  // algorithm may use. Buffers are of `type`.
  Mixer(const Worker& worker, uint16_t stream, DType type, int vectors = 1);

  // Where vector `vector` of `bucket` is sent from. Must not be written between Begin and End.
  Buffer outgoing(int bucket, int vector = 0) const;

  // Starts the exchange of bucket's vectors (values[v]: the bucket's elements) in `round`; without
  // mixing.overlap also waits for it. The bucket must not be in flight.
  absl::Status Begin(int64_t round, int bucket, absl::Span<const Buffer> values);

  bool in_flight(int bucket) const { return buckets_[bucket].begun; }

  // Waits for the exchange of `bucket`, which stays in flight: its result has not been used.
  absl::Status Wait(int bucket);

  // Waits and ends the flight: the result may be used, until the next Begin of the bucket.
  absl::Status End(int bucket);

  // What the mixed vector is the weighted sum of; `self` is this worker's own vector, as it was at
  // Begin. Empty: the round leaves this worker alone. Call after End; valid until the next call.
  absl::Span<const Source> sources(int bucket, int vector, Buffer self);

  // End, then x <- W x for the bucket's only vector, in place.
  absl::Status Mix(int bucket, Buffer x);

  // Waits for all buckets that are in flight; they stay so.
  absl::Status Quiesce();

 private:
  struct Bucket {
    bool begun = false;
    int64_t round = 0;
    std::vector<std::unique_ptr<Work>> work;
  };

  absl::Status Start(int64_t round, int bucket, absl::Span<const Buffer> values);
  Buffer Incoming(int slot, int bucket, int vector);

  Worker worker_;
  uint16_t stream_;
  DType type_;
  int vectors_;
  std::vector<Buffer> outgoing_;               // by vector, whole layout
  std::vector<std::vector<Buffer>> incoming_;  // by slot (in-neighbour) and vector, whole layout
  std::vector<Bucket> buckets_;
  std::vector<Source> sources_;
};

}  // namespace starling

#endif  // OPTIM_MIXER_H_
