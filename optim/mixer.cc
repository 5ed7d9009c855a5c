#include "optim/mixer.h"

#include "core/ops/ops.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling {

Mixer::Mixer(const Worker& worker, uint16_t stream, DType type, int vectors)
    : worker_(worker),
      stream_(stream),
      type_(type),
      vectors_(vectors),
      buckets_(worker.layout->buckets.size()) {
  CHECK(worker.topology != nullptr) << "mixing needs a topology";
  for (int v = 0; v < vectors; ++v) {
    auto memory = worker.comm->Allocate(worker.layout->size, type);
    CHECK_OK(memory);
    outgoing_.push_back(*memory);
  }
}

Buffer Mixer::outgoing(int bucket, int vector) const {
  const Range& range = worker_.layout->buckets[bucket];
  return outgoing_[vector].Slice(range.offset, range.count);
}

Buffer Mixer::Incoming(int slot, int bucket, int vector) {
  while (static_cast<int>(incoming_.size()) <= slot) {
    incoming_.emplace_back();
    for (int v = 0; v < vectors_; ++v) {
      auto memory = worker_.comm->Allocate(worker_.layout->size, type_);
      CHECK_OK(memory);
      incoming_.back().push_back(*memory);
    }
  }
  const Range& range = worker_.layout->buckets[bucket];
  return incoming_[slot][vector].Slice(range.offset, range.count);
}

absl::Status Mixer::Begin(int64_t round, int bucket, absl::Span<const Buffer> values) {
  RETURN_IF_ERROR(Start(round, bucket, values));
  return worker_.mixing.overlap ? absl::OkStatus() : Wait(bucket);
}

absl::Status Mixer::Start(int64_t round, int bucket, absl::Span<const Buffer> values) {
  Bucket& state = buckets_[bucket];
  CHECK(!state.begun) << "bucket " << bucket << " is in flight";
  CHECK_EQ(static_cast<int>(values.size()), vectors_);
  state.begun = true;
  state.round = round;
  state.work.clear();
  const MixingRound w = worker_.topology->Round(round);
  ExchangeOptions options;
  options.deadline = worker_.mixing.deadline;
  for (int v = 0; v < vectors_; ++v) {
    if (values[v].data != outgoing(bucket, v).data) ops::Copy(values[v], outgoing(bucket, v));
  }
  // Parts 1-4 of a key belong to the group sum, so vectors are told apart by the stream.
  if (const auto group = w.group(worker_.id); !group.empty()) {
    if (group.size() == 1) return absl::OkStatus();
    for (int v = 0; v < vectors_; ++v) {
      const MessageKey key{static_cast<uint16_t>(stream_ + v), round, bucket, 0};
      ASSIGN_OR_RETURN(auto work,
                       worker_.comm->AllReduceSum(group, key, outgoing(bucket, v), options));
      state.work.push_back(std::move(work));
    }
    return absl::OkStatus();
  }
  std::vector<Send> sends;
  std::vector<Receive> receives;
  for (int v = 0; v < vectors_; ++v) {
    const MessageKey key{static_cast<uint16_t>(stream_ + v), round, bucket, 0};
    for (const Edge& edge : w.out(worker_.id)) {
      if (edge.to != worker_.id) sends.push_back({edge.to, key, outgoing(bucket, v)});
    }
    int slot = 0;
    for (const Edge& edge : w.in(worker_.id)) {
      if (edge.from == worker_.id) continue;
      receives.push_back({edge.from, key, Incoming(slot++, bucket, v)});
    }
  }
  if (sends.empty() && receives.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto work, worker_.comm->Exchange(sends, receives, options));
  state.work.push_back(std::move(work));
  return absl::OkStatus();
}

absl::Status Mixer::Wait(int bucket) {
  Bucket& state = buckets_[bucket];
  CHECK(state.begun) << "bucket " << bucket << " is not in flight";
  for (auto& work : state.work) RETURN_IF_ERROR(work->Wait());
  state.work.clear();
  return absl::OkStatus();
}

absl::Status Mixer::End(int bucket) {
  RETURN_IF_ERROR(Wait(bucket));
  buckets_[bucket].begun = false;
  return absl::OkStatus();
}

absl::Span<const Source> Mixer::sources(int bucket, int vector, Buffer self) {
  const double gamma = worker_.mixing.gamma;
  const MixingRound w = worker_.topology->Round(buckets_[bucket].round);
  sources_.clear();
  if (const auto group = w.group(worker_.id); !group.empty()) {
    if (group.size() == 1) return sources_;
    sources_.push_back({gamma / static_cast<double>(group.size()), outgoing(bucket, vector)});
    if (gamma != 1.0) sources_.push_back({1.0 - gamma, self});
    return sources_;
  }
  const auto edges = w.in(worker_.id);
  if (edges.size() == 1 && edges[0].from == worker_.id && edges[0].weight == 1.0) return sources_;
  int slot = 0;
  bool self_added = false;
  for (const Edge& edge : edges) {
    // Without an edge to itself (legal for W, but gamma < 1 adds one) self stands in rank order.
    if (!self_added && edge.from > worker_.id && gamma != 1.0) {
      sources_.push_back({1.0 - gamma, self});
      self_added = true;
    }
    if (edge.from == worker_.id) {
      sources_.push_back({gamma * edge.weight + (1.0 - gamma), self});
      self_added = true;
    } else {
      sources_.push_back({gamma * edge.weight, Incoming(slot++, bucket, vector)});
    }
  }
  if (!self_added && gamma != 1.0) sources_.push_back({1.0 - gamma, self});
  return sources_;
}

absl::Status Mixer::Mix(int bucket, Buffer x) {
  RETURN_IF_ERROR(End(bucket));
  const auto mixed = sources(bucket, 0, x);
  if (!mixed.empty()) ops::WeightedSum(mixed, x);
  return absl::OkStatus();
}

absl::Status Mixer::Quiesce() {
  for (int b = 0; b < static_cast<int>(buckets_.size()); ++b) {
    if (buckets_[b].begun) RETURN_IF_ERROR(Wait(b));
  }
  return absl::OkStatus();
}

}  // namespace starling
