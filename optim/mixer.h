// The mixer: plain mixing, x <- sum_j W_ij x_j, bucket by bucket, of one or several vectors, over
// any round: groups become one group sum, edges become messages. Every mixing algorithm is written
// on it.
//
//   ASSIGN_OR_RETURN(mixer_, Mixer::Create(worker, /*stream=*/1, x.type));   // when it starts
//   mixer.Begin(round, b, values);        // starts bucket b's exchange; one value per vector
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
// Precision. Where mixing.precision is narrower than the vectors, what is sent is q(y), y rounded
// to it, and mixing is written as a difference, x + gamma (sum_j W_ij q(y_j) - q(y_i)), of one more
// source (one's own q(y_i), with a negative weight), still in one fused pass in x's own precision.
// So a worker's own x is never rounded, only what it takes over; and since every q(y_j) is taken
// off as often as it is added (columns of W sum to one), the mean over all workers is kept up to
// the rounding of x's own arithmetic: over edges exactly that; in groups also up to the rounding of
// the group's sum, which is narrow too. Only narrow values travel.
//
// Up to `depth` exchanges of a bucket are in flight: Begin starts one more, End ends the oldest.
// What has arrived and is not used yet, but cannot be sent again because its senders have moved
// on, is state: Quiesce, then VisitState. At depth 1, where an algorithm sends what the next step
// starts from, there is no such thing: OnStepBegin sends it again.
//
// Traffic per vector and round: one message of the bucket's size per edge to another worker, or
// the group sum's. Memory: `depth` times one send buffer, and one receive buffer per in-neighbour;
// for differences in rounds of groups one more, for what was sent.
#ifndef OPTIM_MIXER_H_
#define OPTIM_MIXER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "comm/communicator.h"
#include "core/state.h"
#include "optim/worker.h"

namespace starling {

class Mixer {
 public:
  // What sources() gives, y being the vectors sent.
  enum class Form {
    kSum,         // gamma sum_j W_ij y_j + (1 - gamma) y_i, with self for one's own y_i
    kDifference,  // self + gamma (sum_j W_ij y_j - y_i): self may have moved on since Begin
  };

  // Messages use the streams stream .. stream + vectors - 1, which no other mixer of this
  // algorithm may use. Vectors are of `type`; what is sent is of mixing.precision. At depth 1,
  // where self is y_i, a narrower precision turns kSum into kDifference; at a larger depth it does
  // not, and what a sum rounds is lost to the mean. RESOURCE_EXHAUSTED: a device has no room for
  // what is sent.
  static absl::StatusOr<std::unique_ptr<Mixer>> Create(const Worker& worker, uint16_t stream,
                                                       DType type, int vectors = 1, int depth = 1,
                                                       Form form = Form::kSum);

  // Where the next Begin of `bucket` sends vector `vector` from, in mixing.precision. Must not be
  // written between that Begin and its End. Once all exchanges are in flight but for the one ended
  // last, it is the memory of that one: read sources() first, or in the same pass
  // (UpdateArgs::copy_to may be one of `mix`).
  Buffer outgoing(int bucket, int vector = 0) const;

  // Starts the exchange of bucket's vectors (values[v]: the bucket's elements) in `round`; without
  // mixing.overlap also waits for it. Fewer than `depth` may be in flight. All rounds under way
  // differ.
  absl::Status Begin(int64_t round, int bucket, absl::Span<const Buffer> values);

  // How many exchanges of `bucket` have begun and not ended.
  int in_flight(int bucket) const { return buckets_[bucket].in_flight; }

  // The round of the exchange that began last; -1 before the first.
  int64_t last_round(int bucket) const { return buckets_[bucket].last_round; }

  // Waits for the exchanges of `bucket`, which stay in flight: their results have not been used.
  absl::Status Wait(int bucket);

  // Waits for the oldest exchange and ends its flight: the result may be used, until the next
  // Begin of the bucket.
  absl::Status End(int bucket);

  // What the mixed vector is the weighted sum of, by the exchange that was ended last. `self` is
  // this worker's own vector. In the form kSum it stands for y_i; in a round of groups only with
  // 1 - gamma, since the group's sum holds what was sent. Empty: the round leaves this worker
  // alone. Call after End; valid until the next call.
  absl::Span<const Source> sources(int bucket, int vector, Buffer self);

  // The same by an exchange that is in flight, the age-th oldest. Call after Wait.
  absl::Span<const Source> sources_in_flight(int age, int bucket, int vector, Buffer self);

  // End, then x <- W x for the bucket's only vector, in place.
  absl::Status Mix(int bucket, Buffer x);

  // Waits for everything that is in flight; it stays so.
  absl::Status Quiesce();

  // Drops everything that is in flight, all of which must have arrived (Quiesce), so that the mixer
  // is as before the first Begin. All workers must do it between the same steps.
  void Forget();

  // Mixes over `topology` (not owned) from here on. What is in flight is forgotten.
  void SetTopology(const Topology* topology);

  // Shows what has arrived: the rounds as bytes "<prefix>/rounds", and for the k-th oldest of them
  // every buffer, in parameter layout, as "<prefix>/k/...". Between steps, after Quiesce; all
  // buckets must have the same rounds in flight. A visitor that replaces the rounds and the values
  // leaves exchanges in flight that have arrived, so that the next End returns at once.
  // DATA_LOSS for rounds that no mixer of this depth wrote.
  absl::Status VisitState(StateVisitor* visitor, absl::string_view prefix);

 private:
  Mixer(const Worker& worker, uint16_t stream, DType type, int vectors, int depth, Form form);

  // An exchange under way, in one of `depth` slots.
  struct Flight {
    int64_t round = 0;
    std::vector<std::unique_ptr<Work>> work;
  };
  struct Bucket {
    std::vector<Flight> flights;  // by slot; the oldest in slot `oldest`, and so on round and round
    int oldest = 0;
    int in_flight = 0;
    int ended = 0;  // slot of the exchange that was ended last
    int64_t last_round = -1;
  };
  // Whole layouts, by slot.
  struct Memory {
    std::vector<Buffer> outgoing;               // by vector; a group's sum afterwards
    std::vector<std::vector<Buffer>> incoming;  // by in-neighbour and vector
    std::vector<Buffer> kept;                   // by vector: what a group's sum has replaced
  };

  int SlotOf(int bucket, int age) const;  // age 0: the oldest in flight
  absl::Status Start(Flight* flight, int slot, int bucket, absl::Span<const Buffer> values);
  Buffer Part(Buffer whole, int bucket) const;
  absl::StatusOr<Buffer> Allocate();  // a whole layout of what is sent
  // Allocates what a round receives into and keeps, on first use.
  absl::Status Reserve(int slot, const MixingRound& round);
  absl::Span<const Source> SourcesOf(int slot, int bucket, int vector, Buffer self);
  void AddGroupSources(int group_size, int slot, int bucket, int vector, Buffer self);
  void AddEdgeSources(absl::Span<const Edge> edges, int slot, int bucket, int vector, Buffer self);
  int NeighboursIn(absl::Span<const Edge> edges) const;  // who is not this worker
  static absl::Status WaitFor(Flight* flight);
  absl::Status SetArrived(const std::string& rounds, absl::string_view prefix);
  absl::Status VisitFlight(int age, StateVisitor* visitor, absl::string_view prefix);

  Worker worker_;
  uint16_t stream_;
  DType sent_type_;
  int vectors_;
  int depth_;
  bool difference_;
  std::vector<Memory> memory_;
  std::vector<Bucket> buckets_;
  std::vector<Source> sources_;
};

}  // namespace starling

#endif  // OPTIM_MIXER_H_
