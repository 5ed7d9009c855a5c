// Starting the functors of core/device/elements.h on a queue.
#ifndef CORE_DEVICE_CUDA_LAUNCH_CUH_
#define CORE_DEVICE_CUDA_LAUNCH_CUH_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/buffer.h"
#include "core/device/device.h"
#include "core/device/elements.h"
#include "glog/logging.h"

namespace starling::cuda {

inline absl::Status StatusOf(cudaError_t error, absl::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, ": CUDA says ", cudaGetErrorString(error)));
}

inline cudaStream_t StreamOf(Queue* queue) { return reinterpret_cast<cudaStream_t>(queue); }

constexpr int kThreads = 256;

// Enough blocks to fill a card, and few enough that each thread does several pieces.
inline int BlocksFor(int64_t pieces) {
  constexpr int64_t kMostBlocks = 132 * 16;
  return static_cast<int>(std::clamp<int64_t>((pieces + kThreads - 1) / kThreads, 1, kMostBlocks));
}

// This thread's share of `count` elements.
template <int n, typename Body>
__device__ void DoElements(const Body& body, int64_t count) {
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t pieces = count / n;
  for (int64_t piece = thread; piece < pieces; piece += threads) body.template At<n>(piece * n);
  for (int64_t i = pieces * n + thread; i < count; i += threads) body.template At<1>(i);
}

template <int n, typename Body>
__global__ void __launch_bounds__(kThreads) Run(const __grid_constant__ Body body, int64_t count) {
  DoElements<n>(body, count);
}

// Starts `kernel` on so many blocks.
template <typename... Parameters, typename... Arguments>
void Start(void (*kernel)(Parameters...), int blocks, Queue* queue, Arguments&&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.stream = StreamOf(queue);
  // What is wrong with it Wait tells.
  cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// Does `count` elements. `aligned`: every buffer begins where n elements of its type may.
template <int n, typename Body>
void Launch(const Body& body, int64_t count, bool aligned, Queue* queue) {
  if (count == 0) return;
  if (aligned) {
    Start(Run<n, Body>, BlocksFor(count / n), queue, body, count);
  } else {
    Start(Run<1, Body>, BlocksFor(count), queue, body, count);
  }
}

// How many T are read at once.
template <typename T>
constexpr int kPiece = 16 / sizeof(T);

// Whether `buffer` begins where pieces of n elements may.
inline bool IsAligned(const Buffer& buffer, int n) {
  return reinterpret_cast<uintptr_t>(buffer.data) % (n * SizeOf(buffer.type)) == 0;
}

inline device::Numbers NumbersOf(const Buffer& buffer) { return {buffer.data, buffer.type}; }

// The first device::Terms::kMost of `sources`.
inline device::Terms TermsOf(absl::Span<const Source> sources) {
  device::Terms terms;
  CHECK_LE(sources.size(), static_cast<size_t>(device::Terms::kMost))
      << "kernels mix at most so many sources";
  terms.count = static_cast<int>(sources.size());
  for (int j = 0; j < terms.count; ++j) {
    terms.values[j] = NumbersOf(sources[j].values);
    terms.weight[j] = sources[j].weight;
  }
  return terms;
}

}  // namespace starling::cuda

#endif  // CORE_DEVICE_CUDA_LAUNCH_CUH_
