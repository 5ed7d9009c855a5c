#include "core/device/pretend_device.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/ops/ops.h"
#include "core/ops/random_mask.h"
#include "glog/logging.h"

namespace starling::pretend {
namespace {

constexpr int kCards = 2;
thread_local int current_card = 0;
constexpr int64_t kCardBytes = int64_t{1} << 31;

struct PretendQueue {
  std::deque<std::function<void()>> work;
  int64_t done = 0;       // pieces of work
  bool computes = false;  // or it has only copied so far
};

// The place behind so many pieces of work of a queue.
struct PretendEvent {
  std::shared_ptr<PretendQueue> queue;
  int64_t behind = 0;
};

class PretendDevice final : public Device {
 public:
  int cards() const override { return kCards; }

  absl::Status UseCard(int card) override {
    if (card >= 0 && card < kCards) {
      current_card = card;
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(absl::StrCat("there is no card ", card, "; this machine has ",
                                                   kCards, ", numbered from 0"));
  }
  int CurrentCard() const override { return current_card; }
  std::string Description() const override { return "pretended cards"; }
  std::vector<CardLink> Links() const override { return {{0, 1, CardLink::Kind::kDirect}}; }

  absl::StatusOr<void*> Allocate(int64_t bytes) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    if (allocated_ + bytes > kCardBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the card has no ", bytes >> 20, " MiB left, of ", kCardBytes >> 20, " MiB ",
                       (kCardBytes - allocated_) >> 20, " are free"));
    }
    void* const memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(memory, 0, static_cast<size_t>(bytes));
    allocated_ += bytes;
    sizes_[memory] = bytes;
    return memory;
  }

  // Waits for everything, as CUDA does.
  void Free(void* memory) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    for (const auto& queue : queues_) RunUntil(queue.get(), End(*queue));
    allocated_ -= sizes_[memory];
    sizes_.erase(memory);
    std::free(memory);
  }

  absl::StatusOr<void*> AllocateOnHost(int64_t bytes) override {
    return std::calloc(1, static_cast<size_t>(bytes));
  }
  void FreeOnHost(void* memory) override { std::free(memory); }

  absl::StatusOr<Queue*> NewQueue() override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    queues_.push_back(std::make_shared<PretendQueue>());
    return reinterpret_cast<Queue*>(queues_.back().get());
  }

  void DeleteQueue(Queue* queue) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    const auto found = Find(queue);
    RunUntil(found->get(), End(**found));
    queues_.erase(found);
  }

  Event* Record(Queue* queue) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    const std::shared_ptr<PretendQueue> own = *Find(queue);
    return reinterpret_cast<Event*>(new PretendEvent{own, End(*own)});
  }

  void HoldBack(Queue* queue, Event* event) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    const PretendEvent point = *reinterpret_cast<PretendEvent*>(event);
    Add(queue, [this, point] { RunUntil(point.queue.get(), point.behind); });
  }

  absl::Status WaitFor(Event* event) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    const auto* point = reinterpret_cast<PretendEvent*>(event);
    if (point->queue->computes && point->queue->done < point->behind) ++waits_;
    RunUntil(point->queue.get(), point->behind);
    return absl::OkStatus();
  }

  bool HasPassed(Event* event) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    const auto* point = reinterpret_cast<PretendEvent*>(event);
    RunUntil(point->queue.get(), point->behind);  // who asks again and again would ask forever
    return true;
  }

  void DeleteEvent(Event* event) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    delete reinterpret_cast<PretendEvent*>(event);
  }

  absl::Status Wait(Queue* queue) override {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    PretendQueue* const own = Find(queue)->get();
    if (own->computes) ++waits_;
    RunUntil(own, End(*own));
    return absl::OkStatus();
  }

  void Copy(const void* from, void* to, int64_t bytes, Queue* queue) override {
    Add(queue, [=] { std::memmove(to, from, static_cast<size_t>(bytes)); });
  }
  void Zero(void* memory, int64_t bytes, Queue* queue) override {
    Add(queue, [=] { std::memset(memory, 0, static_cast<size_t>(bytes)); });
  }

  void WeightedSum(absl::Span<const Source> sources, Buffer out, Queue* queue) override {
    std::vector<Source> terms(sources.begin(), sources.end());
    for (Source& term : terms) term.values = OnHost(term.values);
    Put(queue, [=] { ops::WeightedSum(terms, OnHost(out)); });
  }
  void Convert(Buffer from, Buffer to, Queue* queue) override {
    Put(queue, [=] { ops::Convert(OnHost(from), OnHost(to)); });
  }
  void Axpy(double a, Buffer x, Buffer y, Queue* queue) override {
    Put(queue, [=] { ops::Axpy(a, OnHost(x), OnHost(y)); });
  }
  void Scale(double a, Buffer x, Queue* queue) override {
    Put(queue, [=] { ops::Scale(a, OnHost(x)); });
  }
  void Mul(Buffer x, Buffer y, Queue* queue) override {
    Put(queue, [=] { ops::Mul(OnHost(x), OnHost(y)); });
  }
  void Add(Buffer x, Buffer y, Queue* queue) override {
    Put(queue, [=] { ops::Add(OnHost(x), OnHost(y)); });
  }
  void ScaleOrZero(double a, Buffer x, Buffer bad, Queue* queue) override {
    Put(queue, [=] { ops::ScaleOrZero(a, OnHost(x), OnHost(bad)); });
  }
  void RandomMask(uint64_t stream, uint32_t limit, double kept, Buffer mask,
                  Queue* queue) override {
    Put(queue, [=] { ops::RandomMask(stream, limit, kept, OnHost(mask)); });
  }
  void SumsOfSquares(Buffer x, Buffer pieces, Buffer sums, Queue* queue) override {
    Put(queue, [=] {
      const auto numbers = OnHost(pieces).as<int64_t>();
      const auto out = OnHost(sums).as<double>();
      for (size_t r = 0; r < out.size(); ++r) {
        const Buffer piece = OnHost(x).Slice(numbers[2 * r], numbers[2 * r + 1]);
        out[r] = ops::Dot(piece, piece);
      }
    });
  }
  void ScaleToNorm(double limit, Buffer sums, Buffer x, Queue* queue) override {
    Put(queue, [=] {
      const auto squares = OnHost(sums).as<double>();
      const double norm = std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
      if (norm > limit) ops::Scale(limit / norm, OnHost(x));
    });
  }
  double Dot(Buffer x, Buffer y, Queue* queue) override {
    CHECK(Wait(queue).ok());
    return ops::Dot(OnHost(x), OnHost(y));
  }
  double SquaredDistance(Buffer x, Buffer y, Queue* queue) override {
    CHECK(Wait(queue).ok());
    return ops::SquaredDistance(OnHost(x), OnHost(y));
  }
  bool AllFinite(Buffer x, Queue* queue) override {
    CHECK(Wait(queue).ok());
    return ops::AllFinite(OnHost(x));
  }

  void Put(Queue* queue, std::function<void()> work) {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    (*Find(queue))->computes = true;
    Add(queue, std::move(work));
  }

  void WriteWaits(const char* path) {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    std::ofstream(path) << waits_ << "\n";
  }

 private:
  using Queues = std::vector<std::shared_ptr<PretendQueue>>;

  static int64_t End(const PretendQueue& queue) {
    return queue.done + static_cast<int64_t>(queue.work.size());
  }

  void Add(Queue* queue, std::function<void()> work) {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    (*Find(queue))->work.push_back(std::move(work));
  }

  // Null is the first one.
  Queues::iterator Find(Queue* queue) {
    if (queues_.empty()) queues_.push_back(std::make_shared<PretendQueue>());
    if (queue == nullptr) return queues_.begin();
    const auto found = std::find_if(queues_.begin(), queues_.end(), [queue](const auto& own) {
      return own.get() == reinterpret_cast<PretendQueue*>(queue);
    });
    CHECK(found != queues_.end()) << "this queue has been deleted, or was never made";
    return found;
  }

  // Whatever holds it back comes from an event before it, so this ends.
  void RunUntil(PretendQueue* queue, int64_t behind) {
    while (queue->done < behind) {
      const std::function<void()> next = std::move(queue->work.front());
      queue->work.pop_front();
      ++queue->done;
      next();
    }
  }

  std::recursive_mutex mutex_;  // work runs other queues' work
  Queues queues_;
  int64_t waits_ = 0;
  int64_t allocated_ = 0;
  std::map<void*, int64_t> sizes_;
};

PretendDevice* Instance() {
  static auto* const device = [] {
    std::atexit([] {
      if (const char* path = std::getenv("STARLING_PRETEND_WAITS")) Instance()->WriteWaits(path);
    });
    return new PretendDevice;
  }();
  return device;
}

const bool is_linked =
    LinkDevice("pretence", []() -> absl::StatusOr<Device*> { return Instance(); });

}  // namespace

void Defer(std::function<void()> work) { Instance()->Put(CurrentQueue(), std::move(work)); }

Buffer OnHost(Buffer buffer) {
  buffer.place = Place::kHost;
  return buffer;
}

void DeferPass(const ops::FusedPass& pass, std::function<void(const ops::FusedPass&)> run) {
  std::vector<Source> mix(pass.mix.begin(), pass.mix.end());
  for (Source& source : mix) source.values = OnHost(source.values);
  std::vector<Buffer> state(pass.state.begin(), pass.state.end());
  for (Buffer& buffer : state) buffer = OnHost(buffer);
  ops::FusedPass later{OnHost(pass.x), OnHost(pass.gradient), {}, OnHost(pass.copy_to), {},
                       pass.range};
  Defer([later, mix, state, run]() mutable {
    later.mix = mix;
    later.state = state;
    run(later);
  });
}

}  // namespace starling::pretend
