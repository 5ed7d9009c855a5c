#include "optim/mixer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {

Mixer::Mixer(const Worker& worker, uint16_t stream, DType type, int vectors, int depth, Form form)
    : worker_(worker),
      stream_(stream),
      sent_type_(worker.mixing.precision.value_or(type)),
      vectors_(vectors),
      depth_(depth),
      difference_(form == Form::kDifference || (sent_type_ != type && depth == 1)),
      memory_(depth),
      buckets_(worker.layout->buckets.size()) {
  CHECK(worker.topology != nullptr) << "mixing needs a topology";
  CHECK_GE(depth, 1);
  CHECK(sent_type_ == type || IsNarrower(sent_type_, type))
      << DTypeName(sent_type_) << " for " << DTypeName(type);
  for (Bucket& bucket : buckets_) bucket.flights.resize(depth);
}

absl::StatusOr<std::unique_ptr<Mixer>> Mixer::Create(const Worker& worker, uint16_t stream,
                                                     DType type, int vectors, int depth,
                                                     Form form) {
  auto mixer = absl::WrapUnique(new Mixer(worker, stream, type, vectors, depth, form));
  for (Memory& slot : mixer->memory_) {
    for (int v = 0; v < vectors; ++v) {
      ASSIGN_OR_RETURN(const Buffer memory, mixer->Allocate());
      slot.outgoing.push_back(memory);
    }
  }
  return mixer;
}

int Mixer::SlotOf(int bucket, int age) const { return (buckets_[bucket].oldest + age) % depth_; }

Buffer Mixer::Part(Buffer whole, int bucket) const {
  const Range& range = worker_.layout->buckets[bucket];
  return whole.Slice(range.offset, range.count);
}

Buffer Mixer::outgoing(int bucket, int vector) const {
  const int next = SlotOf(bucket, buckets_[bucket].in_flight);
  return Part(memory_[next].outgoing[vector], bucket);
}

absl::StatusOr<Buffer> Mixer::Allocate() {
  const Place place = worker_.place.value_or(worker_.comm->place());
  return worker_.comm->Allocate(worker_.layout->size, sent_type_, place);
}

int Mixer::NeighboursIn(absl::Span<const Edge> edges) const {
  return static_cast<int>(std::count_if(
      edges.begin(), edges.end(), [this](const Edge& edge) { return edge.from != worker_.id; }));
}

absl::Status Mixer::Reserve(int slot, const MixingRound& round) {
  Memory& memory = memory_[slot];
  const auto group = round.group(worker_.id);
  const size_t neighbours = group.empty() ? NeighboursIn(round.in(worker_.id)) : 0;
  while (memory.incoming.size() < neighbours) {
    std::vector<Buffer> vectors;
    for (int v = 0; v < vectors_; ++v) {
      ASSIGN_OR_RETURN(const Buffer buffer, Allocate());
      vectors.push_back(buffer);
    }
    memory.incoming.push_back(std::move(vectors));
  }
  const size_t kept = difference_ && group.size() > 1 ? vectors_ : 0;
  while (memory.kept.size() < kept) {
    ASSIGN_OR_RETURN(const Buffer buffer, Allocate());
    memory.kept.push_back(buffer);
  }
  return absl::OkStatus();
}

absl::Status Mixer::Begin(int64_t round, int bucket, absl::Span<const Buffer> values) {
  Bucket& state = buckets_[bucket];
  CHECK_LT(state.in_flight, depth_) << "bucket " << bucket << " is in flight";
  CHECK_EQ(static_cast<int>(values.size()), vectors_);
  const int slot = SlotOf(bucket, state.in_flight);
  ++state.in_flight;
  state.last_round = round;
  Flight& flight = state.flights[slot];
  flight.round = round;
  flight.work.clear();
  RETURN_IF_ERROR(Start(&flight, slot, bucket, values));
  return worker_.mixing.overlap ? absl::OkStatus() : Wait(bucket);
}

absl::Status Mixer::Start(Flight* flight, int slot, int bucket, absl::Span<const Buffer> values) {
  const int64_t round = flight->round;
  const MixingRound w = worker_.topology->Round(round);
  RETURN_IF_ERROR(Reserve(slot, w));
  ExchangeOptions options;
  options.deadline = worker_.mixing.deadline;
  const auto outgoing = [&](int v) { return Part(memory_[slot].outgoing[v], bucket); };
  for (int v = 0; v < vectors_; ++v) {
    if (values[v].data != outgoing(v).data) ops::Convert(values[v], outgoing(v));
  }
  // Parts 1-4 of a key belong to the group sum, so vectors are told apart by the stream.
  if (const auto group = w.group(worker_.id); !group.empty()) {
    if (group.size() == 1) return absl::OkStatus();
    for (int v = 0; v < vectors_; ++v) {
      const MessageKey key{static_cast<uint16_t>(stream_ + v), round, bucket, 0};
      if (difference_) ops::Copy(outgoing(v), Part(memory_[slot].kept[v], bucket));
      ASSIGN_OR_RETURN(auto work, worker_.comm->AllReduceSum(group, key, outgoing(v), options));
      flight->work.push_back(std::move(work));
    }
    return absl::OkStatus();
  }
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int v = 0; v < vectors_; ++v) {
    const MessageKey key{static_cast<uint16_t>(stream_ + v), round, bucket, 0};
    for (const Edge& edge : w.out(worker_.id)) {
      if (edge.to != worker_.id) sends.push_back({edge.to, key, outgoing(v)});
    }
    int neighbour = 0;
    for (const Edge& edge : w.in(worker_.id)) {
      if (edge.from == worker_.id) continue;
      receives.push_back({edge.from, key, Part(memory_[slot].incoming[neighbour++][v], bucket)});
    }
  }
  if (sends.empty() && receives.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto work, worker_.comm->Exchange(sends, receives, options));
  flight->work.push_back(std::move(work));
  return absl::OkStatus();
}

absl::Status Mixer::Wait(int bucket) {
  for (int age = 0; age < buckets_[bucket].in_flight; ++age) {
    RETURN_IF_ERROR(WaitFor(&buckets_[bucket].flights[SlotOf(bucket, age)]));
  }
  return absl::OkStatus();
}

absl::Status Mixer::WaitFor(Flight* flight) {
  for (auto& work : flight->work) RETURN_IF_ERROR(work->Wait());
  flight->work.clear();
  return absl::OkStatus();
}

absl::Status Mixer::End(int bucket) {
  Bucket& state = buckets_[bucket];
  CHECK_GT(state.in_flight, 0) << "bucket " << bucket << " is not in flight";
  RETURN_IF_ERROR(WaitFor(&state.flights[state.oldest]));
  state.ended = state.oldest;
  state.oldest = (state.oldest + 1) % depth_;
  --state.in_flight;
  return absl::OkStatus();
}

absl::Span<const Source> Mixer::sources(int bucket, int vector, Buffer self) {
  return SourcesOf(buckets_[bucket].ended, bucket, vector, self);
}

absl::Span<const Source> Mixer::sources_in_flight(int age, int bucket, int vector, Buffer self) {
  CHECK_LT(age, in_flight(bucket));
  return SourcesOf(SlotOf(bucket, age), bucket, vector, self);
}

absl::Span<const Source> Mixer::SourcesOf(int slot, int bucket, int vector, Buffer self) {
  const MixingRound w = worker_.topology->Round(buckets_[bucket].flights[slot].round);
  sources_.clear();
  if (const auto group = w.group(worker_.id); !group.empty()) {
    const int size = static_cast<int>(group.size());
    if (size > 1) AddGroupSources(size, slot, bucket, vector, self);
    return sources_;
  }
  const auto edges = w.in(worker_.id);
  if (edges.size() == 1 && edges[0].from == worker_.id && edges[0].weight == 1.0) return sources_;
  AddEdgeSources(edges, slot, bucket, vector, self);
  return sources_;
}

void Mixer::AddGroupSources(int group_size, int slot, int bucket, int vector, Buffer self) {
  const double gamma = worker_.mixing.gamma;
  const Source sum{gamma / group_size, Part(memory_[slot].outgoing[vector], bucket)};
  if (difference_) {
    const Source own{-gamma, Part(memory_[slot].kept[vector], bucket)};
    sources_.insert(sources_.end(), {{1.0, self}, sum, own});
    return;
  }
  sources_.push_back(sum);
  if (gamma != 1.0) sources_.push_back({1.0 - gamma, self});
}

void Mixer::AddEdgeSources(absl::Span<const Edge> edges, int slot, int bucket, int vector,
                           Buffer self) {
  const double gamma = worker_.mixing.gamma;
  Source own{1.0 - gamma, self};
  if (difference_) {
    sources_.push_back({1.0, self});
    own = {-gamma, Part(memory_[slot].outgoing[vector], bucket)};
  }
  for (const Edge& edge : edges) {
    if (edge.from == worker_.id) own.weight = gamma * edge.weight + own.weight;
  }
  int neighbour = 0;
  bool own_added = own.weight == 0;
  for (const Edge& edge : edges) {
    // Without an edge to itself (legal for W) a worker's own vector stands in rank order.
    if (!own_added && edge.from >= worker_.id) {
      sources_.push_back(own);
      own_added = true;
    }
    if (edge.from == worker_.id) continue;
    const Buffer values = Part(memory_[slot].incoming[neighbour++][vector], bucket);
    sources_.push_back({gamma * edge.weight, values});
  }
  if (!own_added) sources_.push_back(own);
}

absl::Status Mixer::Mix(int bucket, Buffer x) {
  RETURN_IF_ERROR(End(bucket));
  const auto mixed = sources(bucket, 0, x);
  if (!mixed.empty()) ops::WeightedSum(mixed, x);
  return absl::OkStatus();
}

absl::Status Mixer::Quiesce() {
  for (int b = 0; b < static_cast<int>(buckets_.size()); ++b) RETURN_IF_ERROR(Wait(b));
  return absl::OkStatus();
}

void Mixer::Forget() {
  for (Bucket& bucket : buckets_) {
    for (const Flight& flight : bucket.flights) {
      CHECK(flight.work.empty()) << "Forget before Quiesce";
    }
    bucket.oldest = bucket.in_flight = bucket.ended = 0;
    bucket.last_round = -1;
  }
}

void Mixer::SetTopology(const Topology* topology) {
  Forget();
  worker_.topology = topology;
}

absl::Status Mixer::VisitState(StateVisitor* visitor, absl::string_view prefix) {
  std::vector<int64_t> rounds;
  for (int age = 0; age < in_flight(0); ++age) {
    rounds.push_back(buckets_[0].flights[SlotOf(0, age)].round);
  }
  for (int b = 0; b < static_cast<int>(buckets_.size()); ++b) {
    CHECK(in_flight(b) == in_flight(0) && SlotOf(b, 0) == SlotOf(0, 0))
        << "bucket " << b << " has other rounds in flight";
    for (int age = 0; age < in_flight(b); ++age) {
      const Flight& flight = buckets_[b].flights[SlotOf(b, age)];
      CHECK_EQ(flight.round, rounds[age]) << "bucket " << b << " has other rounds in flight";
      CHECK(flight.work.empty()) << "VisitState before Quiesce";
    }
  }
  std::string text = absl::StrJoin(rounds, " ");
  const std::string before = text;
  RETURN_IF_ERROR(visitor->VisitBytes(absl::StrCat(prefix, "/rounds"), &text));
  if (text != before) RETURN_IF_ERROR(SetArrived(text, prefix));
  for (int age = 0; age < in_flight(0); ++age) {
    RETURN_IF_ERROR(VisitFlight(age, visitor, absl::StrCat(prefix, "/", age)));
  }
  return absl::OkStatus();
}

absl::Status Mixer::SetArrived(const std::string& rounds, absl::string_view prefix) {
  std::vector<int64_t> numbers;
  for (absl::string_view word : absl::StrSplit(rounds, ' ', absl::SkipEmpty())) {
    int64_t number;
    if (!absl::SimpleAtoi(word, &number) || number < 0) numbers.resize(depth_);
    numbers.push_back(number);
  }
  if (static_cast<int>(numbers.size()) > depth_) {
    return absl::DataLossError(absl::StrCat("state ", prefix, "/rounds is \"",
                                            absl::CEscape(rounds),
                                            "\", which is no list of at most ", depth_, " rounds"));
  }
  for (Bucket& bucket : buckets_) {
    bucket.oldest = 0;
    bucket.in_flight = static_cast<int>(numbers.size());
    if (!numbers.empty()) bucket.last_round = numbers.back();
    for (size_t slot = 0; slot < numbers.size(); ++slot) {
      bucket.flights[slot].round = numbers[slot];
      bucket.flights[slot].work.clear();
    }
  }
  return absl::OkStatus();
}

absl::Status Mixer::VisitFlight(int age, StateVisitor* visitor, absl::string_view prefix) {
  const int slot = SlotOf(0, age);
  const MixingRound w = worker_.topology->Round(buckets_[0].flights[slot].round);
  const auto group = w.group(worker_.id);
  RETURN_IF_ERROR(Reserve(slot, w));
  for (int v = 0; v < vectors_; ++v) {
    if (difference_ && group.size() != 1) {
      const Buffer sent = group.empty() ? memory_[slot].outgoing[v] : memory_[slot].kept[v];
      RETURN_IF_ERROR(visitor->Visit(absl::StrCat(prefix, "/sent/", v), sent));
    }
    if (group.size() > 1) {
      RETURN_IF_ERROR(visitor->Visit(absl::StrCat(prefix, "/sum/", v), memory_[slot].outgoing[v]));
    }
    if (!group.empty()) continue;
    int neighbour = 0;
    for (const Edge& edge : w.in(worker_.id)) {
      if (edge.from == worker_.id) continue;
      RETURN_IF_ERROR(visitor->Visit(absl::StrCat(prefix, "/from_", edge.from, "/", v),
                                     memory_[slot].incoming[neighbour++][v]));
    }
  }
  return absl::OkStatus();
}

}  // namespace starling
