// The device of core/device/device.h for CUDA.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/device/cuda/launch.cuh"
#include "core/device/device.h"
#include "core/device/elements.h"
#include "core/layout.h"
#include "glog/logging.h"

namespace starling::cuda {
namespace {

absl::Status StatusOf(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, ": CUDA says ", cudaGetErrorString(error)));
}

constexpr int kReducingBlocks = 256;

// Adds up what the threads of a block have, in a fixed order; the sum is thread 0's.
__device__ double BlockSum(double own) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = own;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  return sums[0];
}

// The grid is always the same, so element i is always added by the same thread at the same time.
template <typename Term>
__global__ void __launch_bounds__(kThreads) Reduce(Term term, int64_t count, double* partial) {
  double sum = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<int64_t>(kReducingBlocks) * kThreads) {
    sum += term.At(i);
  }
  sum = BlockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) AddPartialSums(const double* partial, double* total) {
  const double sum = BlockSum(partial[threadIdx.x]);
  if (threadIdx.x == 0) *total = sum;
}

static_assert(kReducingBlocks == kThreads, "one thread per partial sum");

// Sums of squares of many ranges in one launch: each is cut into chunks, one per block, whose sums
// the host adds in order.
constexpr int64_t kChunk = 32768;

template <typename T>
__global__ void __launch_bounds__(kThreads)
    SumChunks(const T* x, const Range* chunks, double* sums) {
  const Range chunk = chunks[blockIdx.x];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunk.count; i += kThreads) {
    const double value = x[chunk.offset + i];
    sum += value * value;
  }
  sum = BlockSum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

std::vector<Range> ChunksOf(absl::Span<const Range> ranges) {
  std::vector<Range> chunks;
  for (const Range& range : ranges) {
    for (int64_t begin = 0; begin < range.count; begin += kChunk) {
      chunks.push_back({range.offset + begin, std::min(kChunk, range.count - begin)});
    }
  }
  return chunks;
}

// Memory for T on the card and as much page-locked on the host, for a thread that uses it again and
// again and waits each time; on the card it has chosen when it first needs it.
template <typename T>
class TwinSpace {
 public:
  TwinSpace() = default;
  ~TwinSpace() {
    cudaFree(device_);
    cudaFreeHost(host_);
  }
  TwinSpace(const TwinSpace&) = delete;
  TwinSpace& operator=(const TwinSpace&) = delete;

  void Reserve(size_t count) {
    if (count <= count_) return;
    cudaFree(device_);
    cudaFreeHost(host_);
    CHECK_EQ(cudaMalloc(&device_, count * sizeof(T)), cudaSuccess);
    CHECK_EQ(cudaMallocHost(&host_, count * sizeof(T)), cudaSuccess);
    count_ = count;
  }
  T* device() const { return device_; }
  T* host() const { return host_; }

 private:
  T* device_ = nullptr;
  T* host_ = nullptr;
  size_t count_ = 0;
};

// Where a thread's reductions leave their sums; on the card it has chosen when it first reduces.
class ReductionSpace {
 public:
  ReductionSpace() {
    CHECK_EQ(cudaMalloc(&partial_, (kReducingBlocks + 1) * sizeof(double)), cudaSuccess);
    CHECK_EQ(cudaMallocHost(&total_, sizeof(double)), cudaSuccess);
  }
  ~ReductionSpace() {
    cudaFree(partial_);
    cudaFreeHost(total_);
  }
  ReductionSpace(const ReductionSpace&) = delete;
  ReductionSpace& operator=(const ReductionSpace&) = delete;

  template <typename Term>
  double Sum(const Term& term, int64_t count, cudaStream_t stream) {
    double* const total = partial_ + kReducingBlocks;
    Reduce<<<kReducingBlocks, kThreads, 0, stream>>>(term, count, partial_);
    AddPartialSums<<<1, kThreads, 0, stream>>>(partial_, total);
    cudaMemcpyAsync(total_, total, sizeof(double), cudaMemcpyDeviceToHost, stream);
    const absl::Status done = StatusOf(cudaStreamSynchronize(stream), "a reduction");
    if (done.ok()) return *total_;
    LOG(ERROR) << done;
    return NAN;  // Whoever measures sees that there is no number; Wait tells the run.
  }

 private:
  double* partial_ = nullptr;
  double* total_ = nullptr;
};

template <typename Term>
double Sum(const Term& term, int64_t count, Queue* queue) {
  thread_local ReductionSpace space;
  return space.Sum(term, count, StreamOf(queue));
}

// Calls use(T()) for the type of `buffer`, which is F32 or F64.
template <typename Use>
auto WithType(const Buffer& buffer, const Use& use) {
  return buffer.type == DType::kF64 ? use(double()) : use(float());
}

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int cards) : cards_(cards) {}

  int cards() const override { return cards_; }

  absl::Status UseCard(int card) override {
    if (card < 0 || card >= cards_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "there is no card ", card, "; this machine has ", cards_, ", numbered from 0"));
    }
    return StatusOf(cudaSetDevice(card), absl::StrCat("card ", card));
  }

  int CurrentCard() const override {
    int card = 0;
    cudaGetDevice(&card);
    return card;
  }

  std::string Description() const override {
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    const auto version = [](int number) {
      return absl::StrCat(number / 1000, ".", number % 1000 / 10);
    };
    std::string text =
        absl::StrCat("driver for CUDA ", version(driver), ", runtime ", version(runtime));
    for (int card = 0; card < cards_; ++card) {
      cudaDeviceProp facts;
      if (cudaGetDeviceProperties(&facts, card) != cudaSuccess) continue;
      absl::StrAppend(&text, "\ncard ", card, ": ", facts.name, ", ", facts.totalGlobalMem >> 20,
                      " MiB, compute capability ", facts.major, ".", facts.minor);
    }
    return text;
  }

  std::vector<CardLink> Links() const override {
    std::vector<CardLink> links;
    for (int a = 0; a < cards_; ++a) {
      for (int b = a + 1; b < cards_; ++b) {
        int direct = 0, atomics = 0;
        cudaDeviceCanAccessPeer(&direct, a, b);
        // Between cards only NVLink has atomic operations; PCIe has none.
        cudaDeviceGetP2PAttribute(&atomics, cudaDevP2PAttrNativeAtomicSupported, a, b);
        links.push_back({a, b,
                         direct == 0    ? CardLink::Kind::kThroughHost
                         : atomics == 0 ? CardLink::Kind::kDirect
                                        : CardLink::Kind::kNvLink});
      }
    }
    return links;
  }

  absl::StatusOr<void*> Allocate(int64_t bytes) override {
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // It is told here, not by the next call.
      size_t free = 0, total = 0;
      cudaMemGetInfo(&free, &total);
      return absl::ResourceExhaustedError(absl::StrCat("the card has no ", bytes >> 20,
                                                       " MiB left, of ", total >> 20, " MiB ",
                                                       free >> 20, " are free"));
    }
    if (error != cudaSuccess) return StatusOf(error, "allocating");
    const absl::Status zeroed =
        StatusOf(cudaMemset(memory, 0, static_cast<size_t>(bytes)), "zeroing");
    if (!zeroed.ok()) return zeroed;
    return memory;
  }

  void Free(void* memory) override { cudaFree(memory); }

  absl::StatusOr<void*> AllocateOnHost(int64_t bytes) override {
    void* memory = nullptr;
    // Portable: page-locked for every card.
    const absl::Status made =
        StatusOf(cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocPortable),
                 absl::StrCat("page-locking ", bytes >> 20, " MiB"));
    if (!made.ok()) return made;
    std::memset(memory, 0, static_cast<size_t>(bytes));
    return memory;
  }

  void FreeOnHost(void* memory) override { cudaFreeHost(memory); }

  absl::StatusOr<Queue*> NewQueue() override {
    cudaStream_t stream = nullptr;
    const absl::Status made =
        StatusOf(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    if (!made.ok()) return made;
    return reinterpret_cast<Queue*>(stream);
  }

  void DeleteQueue(Queue* queue) override { cudaStreamDestroy(StreamOf(queue)); }

  // Those who wait in Wait find out what is wrong with the device; events do not tell.
  Event* Record(Queue* queue) override {
    cudaEvent_t event = nullptr;
    CHECK_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
    cudaEventRecord(event, StreamOf(queue));
    return reinterpret_cast<Event*>(event);
  }

  void HoldBack(Queue* queue, Event* event) override {
    cudaStreamWaitEvent(StreamOf(queue), reinterpret_cast<cudaEvent_t>(event), 0);
  }

  bool HasPassed(Event* event) override {
    return cudaEventQuery(reinterpret_cast<cudaEvent_t>(event)) != cudaErrorNotReady;
  }

  void DeleteEvent(Event* event) override {
    cudaEventDestroy(reinterpret_cast<cudaEvent_t>(event));
  }

  absl::Status Wait(Queue* queue) override {
    const absl::Status started = StatusOf(cudaGetLastError(), "starting a kernel");
    if (!started.ok()) return started;
    return StatusOf(cudaStreamSynchronize(StreamOf(queue)), "work on the device");
  }

  void Copy(const void* from, void* to, int64_t bytes, Queue* queue) override {
    cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, StreamOf(queue));
  }

  void Zero(void* memory, int64_t bytes, Queue* queue) override {
    cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), StreamOf(queue));
  }

  void WeightedSum(absl::Span<const Source> sources, Buffer out, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      bool aligned = IsAligned(out, kPiece<T>);
      for (const Source& source : sources) aligned &= IsAligned(source.values, kPiece<T>);
      Launch<kPiece<T>>(device::WeightedSum<T>{TermsOf(sources), NumbersOf(out)}, out.count,
                        aligned, queue);
    };
    WithType(out, run);
  }

  void Convert(Buffer from, Buffer to, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::Convert<T>{NumbersOf(from), NumbersOf(to)}, to.count,
                        IsAligned(from, kPiece<T>) && IsAligned(to, kPiece<T>), queue);
    };
    if (from.type == DType::kF64 || to.type == DType::kF64) return run(double());
    run(float());
  }

  void Axpy(double a, Buffer x, Buffer y, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::Axpy<T>{static_cast<T>(a), Data<T>(x), Data<T>(y)}, y.count,
                        IsAligned(x, kPiece<T>) && IsAligned(y, kPiece<T>), queue);
    };
    WithType(y, run);
  }

  void Scale(double a, Buffer x, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::Scale<T>{static_cast<T>(a), Data<T>(x)}, x.count,
                        IsAligned(x, kPiece<T>), queue);
    };
    WithType(x, run);
  }

  void Mul(Buffer x, Buffer y, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::Mul<T>{Data<T>(x), Data<T>(y)}, y.count,
                        IsAligned(x, kPiece<T>) && IsAligned(y, kPiece<T>), queue);
    };
    WithType(y, run);
  }

  void Add(Buffer x, Buffer y, Queue* queue) override {
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::Add<T>{Data<T>(x), Data<T>(y)}, y.count,
                        IsAligned(x, kPiece<T>) && IsAligned(y, kPiece<T>), queue);
    };
    WithType(y, run);
  }

  double Dot(Buffer x, Buffer y, Queue* queue) override {
    return WithType(x, [&](auto zero) {
      using T = decltype(zero);
      return Sum(device::Product<T>{Data<T>(x), Data<T>(y)}, x.count, queue);
    });
  }

  double SquaredDistance(Buffer x, Buffer y, Queue* queue) override {
    return WithType(x, [&](auto zero) {
      using T = decltype(zero);
      return Sum(device::SquaredDifference<T>{Data<T>(x), Data<T>(y)}, x.count, queue);
    });
  }

  void SumsOfSquares(Buffer x, absl::Span<const Range> ranges, absl::Span<double> sums,
                     Queue* queue) override {
    thread_local TwinSpace<Range> all_chunks;
    thread_local TwinSpace<double> all_partial;
    std::fill(sums.begin(), sums.end(), 0.0);
    const std::vector<Range> chunks = ChunksOf(ranges);
    const size_t n = chunks.size();
    if (n == 0) return;
    all_chunks.Reserve(n);
    all_partial.Reserve(n);
    const cudaStream_t stream = StreamOf(queue);
    std::copy(chunks.begin(), chunks.end(), all_chunks.host());
    cudaMemcpyAsync(all_chunks.device(), all_chunks.host(), n * sizeof(Range),
                    cudaMemcpyHostToDevice, stream);
    WithType(x, [&](auto zero) {
      SumChunks<<<static_cast<int>(n), kThreads, 0, stream>>>(
          Data<decltype(zero)>(x), all_chunks.device(), all_partial.device());
    });
    cudaMemcpyAsync(all_partial.host(), all_partial.device(), n * sizeof(double),
                    cudaMemcpyDeviceToHost, stream);
    const absl::Status done = StatusOf(cudaStreamSynchronize(stream), "sums of squares");
    if (!done.ok()) {
      LOG(ERROR) << done;
      std::fill(sums.begin(), sums.end(), NAN);  // as in Sum
      return;
    }
    const double* partial = all_partial.host();
    for (size_t r = 0; r < ranges.size(); ++r) {
      for (int64_t begin = 0; begin < ranges[r].count; begin += kChunk) sums[r] += *partial++;
    }
  }

  bool AllFinite(Buffer x, Queue* queue) override {
    return WithType(x, [&](auto zero) {
             using T = decltype(zero);
             return Sum(device::NotFinite<T>{Data<T>(x)}, x.count, queue);
           }) == 0;
  }

  void ScaleOrZero(double a, Buffer x, Buffer bad, Queue* queue) override {
    Zero(bad.data, bad.bytes(), queue);
    WithType(x, [&](auto zero) {
      using T = decltype(zero);
      const bool aligned = IsAligned(x, kPiece<T>);
      Launch<kPiece<T>>(device::MarkNotFinite<T>{Data<T>(x), Data<T>(bad)}, x.count, aligned,
                        queue);
      Launch<kPiece<T>>(device::ScaleUnless<T>{static_cast<T>(a), Data<T>(bad), Data<T>(x)},
                        x.count, aligned, queue);
    });
  }

  void RandomMask(uint64_t stream, uint32_t limit, double kept, Buffer mask,
                  Queue* queue) override {
    WithType(mask, [&](auto zero) {
      using T = decltype(zero);
      Launch<kPiece<T>>(device::RandomMask<T>{stream, limit, static_cast<T>(kept), Data<T>(mask)},
                        mask.count, IsAligned(mask, kPiece<T>), queue);
    });
  }

 private:
  template <typename T>
  static T* Data(const Buffer& buffer) {
    return static_cast<T*>(buffer.data);
  }

  const int cards_;
};

absl::StatusOr<Device*> MakeDevice() {
  int cards = 0;
  const absl::Status counted = StatusOf(cudaGetDeviceCount(&cards), "looking for cards");
  cudaGetLastError();  // It is told here, not by the next call.
  if (!counted.ok()) return counted;
  if (cards == 0) return absl::NotFoundError("looking for cards: there is none");
  return new CudaDevice(cards);
}

#define STARLING_TEXT_(number) #number
#define STARLING_TEXT(number) STARLING_TEXT_(number)
const bool is_linked =
    LinkDevice("CUDA " STARLING_TEXT(__CUDACC_VER_MAJOR__) "." STARLING_TEXT(__CUDACC_VER_MINOR__),
               MakeDevice);

}  // namespace
}  // namespace starling::cuda
