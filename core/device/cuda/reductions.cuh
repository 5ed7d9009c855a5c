// Sums over what lies on the device, for the host: their additions always have the same order.
#ifndef CORE_DEVICE_CUDA_REDUCTIONS_CUH_
#define CORE_DEVICE_CUDA_REDUCTIONS_CUH_

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "core/device/cuda/launch.cuh"
#include "core/device/device.h"
#include "core/layout.h"
#include "glog/logging.h"

namespace starling::cuda {

constexpr int kReducingBlocks = 256;

// Adds up what the threads of a block have, in a fixed order; the sum is thread 0's.
static __device__ double BlockSum(double own) {
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

static __global__ void __launch_bounds__(kThreads)
    AddPartialSums(const double* partial, double* total) {
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

inline std::vector<Range> ChunksOf(absl::Span<const Range> ranges) {
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

// sums[r] <- the sum of the squares of x[i], i in ranges[r].
template <typename T>
void SumsOfSquares(const T* x, absl::Span<const Range> ranges, absl::Span<double> sums,
                   Queue* queue) {
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
  cudaMemcpyAsync(all_chunks.device(), all_chunks.host(), n * sizeof(Range), cudaMemcpyHostToDevice,
                  stream);
  SumChunks<<<static_cast<int>(n), kThreads, 0, stream>>>(x, all_chunks.device(),
                                                          all_partial.device());
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

}  // namespace starling::cuda

#endif  // CORE_DEVICE_CUDA_REDUCTIONS_CUH_
