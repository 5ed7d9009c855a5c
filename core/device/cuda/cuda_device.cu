// The device of core/device/device.h for CUDA.
#include <cuda_runtime.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/device/cuda/launch.cuh"
#include "core/device/cuda/reductions.cuh"
#include "core/device/device.h"
#include "core/device/elements.h"
#include "core/status.h"
#include "glog/logging.h"

namespace starling::cuda {
namespace {

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
    // The queues of this project do not wait for CUDA's default one, so the host does.
    cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), nullptr);
    const absl::Status zeroed = StatusOf(cudaStreamSynchronize(nullptr), "zeroing");
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

  absl::Status WaitFor(Event* event) override {
    RETURN_IF_ERROR(StatusOf(cudaGetLastError(), "starting a kernel"));
    return StatusOf(cudaEventSynchronize(reinterpret_cast<cudaEvent_t>(event)),
                    "work on the device");
  }

  void DeleteEvent(Event* event) override {
    cudaEventDestroy(reinterpret_cast<cudaEvent_t>(event));
  }

  absl::Status Wait(Queue* queue) override {
    RETURN_IF_ERROR(StatusOf(cudaGetLastError(), "starting a kernel"));
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
    WithType(y, [&](auto zero) {
      using T = decltype(zero);
      Combine<T>(device::PlusTimes<T>{static_cast<T>(a)}, x, y, queue);
    });
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
    WithType(y, [&](auto zero) { Combine<decltype(zero)>(device::Times(), x, y, queue); });
  }

  void Add(Buffer x, Buffer y, Queue* queue) override {
    WithType(y, [&](auto zero) { Combine<decltype(zero)>(device::Plus(), x, y, queue); });
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

  void SumsOfSquares(Buffer x, Buffer pieces, Buffer sums, Queue* queue) override {
    WithType(x, [&](auto zero) {
      using T = decltype(zero);
      Start(SumPieces<T>, static_cast<int>(sums.count), queue, Data<T>(x), Data<int64_t>(pieces),
            Data<double>(sums));
    });
  }

  void ScaleToNorm(double limit, Buffer sums, Buffer x, Queue* queue) override {
    WithType(x, [&](auto zero) {
      using T = decltype(zero);
      const auto run = [&](auto kernel, int n) {
        Start(kernel, BlocksFor(x.count / n), queue, limit, Data<double>(sums), sums.count,
              Data<T>(x), x.count);
      };
      constexpr int n = kPiece<T>;
      IsAligned(x, n) ? run(cuda::ScaleToNorm<n, T>, n) : run(cuda::ScaleToNorm<1, T>, 1);
    });
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

  template <typename T, typename Operation>
  static void Combine(Operation operation, const Buffer& x, const Buffer& y, Queue* queue) {
    Launch<kPiece<T>>(device::Combine<T, Operation>{operation, Data<T>(x), Data<T>(y)}, y.count,
                      IsAligned(x, kPiece<T>) && IsAligned(y, kPiece<T>), queue);
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
