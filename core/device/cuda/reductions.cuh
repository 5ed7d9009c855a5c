// Sums over what lies on the device: their additions always have the same order.
#ifndef CORE_DEVICE_CUDA_REDUCTIONS_CUH_
#define CORE_DEVICE_CUDA_REDUCTIONS_CUH_

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "core/device/cuda/launch.cuh"
#include "core/device/device.h"
#include "core/device/elements.h"
#include "glog/logging.h"

namespace starling::cuda {

constexpr int kReducingBlocks = 256;

// Adds up what the threads of a block have, in a fixed order. Once per kernel.
static __device__ double BlockSum(double own) {
  __shared__ double sums[kThreads];
  sums[threadIdx.x] = own;
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
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

// sums[r] <- the sum of the squares of piece r of x, one block each; `pieces`: offset and count of
// each in turn.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    SumPieces(const T* x, const int64_t* pieces, double* sums) {
  const T* const piece = x + pieces[2 * blockIdx.x];
  const int64_t count = pieces[2 * blockIdx.x + 1];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) {
    const double value = piece[i];
    sum += value * value;
  }
  sum = BlockSum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Every block adds up all the sums for itself, in the same order, which is less work than another
// kernel that does it once.
template <int n, typename T>
__global__ void __launch_bounds__(kThreads)
    ScaleToNorm(double limit, const double* sums, int64_t pieces, T* x, int64_t count) {
  double sum = 0;
  for (int64_t r = threadIdx.x; r < pieces; r += kThreads) sum += sums[r];
  const double norm = sqrt(BlockSum(sum));
  if (!(norm > limit)) return;
  DoElements<n>(device::Scale<T>{static_cast<T>(limit / norm), x}, count);
}

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
  double Sum(const Term& term, int64_t count, Queue* queue) {
    double* const total = partial_ + kReducingBlocks;
    Start(Reduce<Term>, kReducingBlocks, queue, term, count, partial_);
    Start(AddPartialSums, 1, queue, partial_, total);
    cudaMemcpyAsync(total_, total, sizeof(double), cudaMemcpyDeviceToHost, StreamOf(queue));
    const absl::Status done = StatusOf(cudaStreamSynchronize(StreamOf(queue)), "a reduction");
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
  return space.Sum(term, count, queue);
}

}  // namespace starling::cuda

#endif  // CORE_DEVICE_CUDA_REDUCTIONS_CUH_
