// A CUDA runtime for tests where there is no card: the host's processor is the card, and its memory
// the card's. As much of NVIDIA's header of this name as this project uses; a .cu file that starts
// its kernels by cudaLaunchKernelEx compiles against it as C++.
//
// A kernel runs when it is started, on the thread that starts it, block by block; threads of a
// block take turns where they wait for each other. So this shows what kernels and the code around
// them compute, not what goes wrong when they overlap (core/device/pretend_device.h does that).
#ifndef CORE_DEVICE_CUDA_ON_HOST_CUDA_RUNTIME_H_
#define CORE_DEVICE_CUDA_ON_HOST_CUDA_RUNTIME_H_

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __grid_constant__
#define __shared__ static thread_local  // blocks of one thread's kernels follow each other
#define __CUDACC_VER_MAJOR__ 0
#define __CUDACC_VER_MINOR__ 0

struct dim3 {
  dim3(unsigned x = 1) : x(x) {}  // NOLINT: as in CUDA
  unsigned x;
};
inline thread_local dim3 blockIdx, threadIdx, gridDim;
void __syncthreads();

namespace starling::cuda_on_host {

// Runs `kernel` for every thread of every block.
void Run(dim3 blocks, dim3 threads, const std::function<void()>& kernel);

// What other threads do for the card holds it shared; freeing memory waits for that, as in CUDA.
inline std::shared_mutex& WorkUnderWay() {
  static auto* const mutex = new std::shared_mutex;
  return *mutex;
}

}  // namespace starling::cuda_on_host

enum cudaError_t {
  cudaSuccess,
  cudaErrorMemoryAllocation,
  cudaErrorInvalidValue,
  cudaErrorNotReady
};
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : "invalid argument";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};
template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  starling::cuda_on_host::Run(config->gridDim, config->blockDim,
                              [&] { std::apply(kernel, values); });
  return cudaSuccess;
}

// Devices: one.
struct cudaDeviceProp {
  char name[32] = "the host as a card";
  size_t totalGlobalMem = 0;
  int major = 0, minor = 0;
};
enum cudaDeviceP2PAttr { cudaDevP2PAttrNativeAtomicSupported };
inline cudaError_t Zeroed(int* number) {
  *number = 0;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int card) {
  return card == 0 ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaGetDevice(int* card) { return Zeroed(card); }
inline cudaError_t cudaDriverGetVersion(int* version) { return Zeroed(version); }
inline cudaError_t cudaRuntimeGetVersion(int* version) { return Zeroed(version); }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* facts, int) {
  *facts = cudaDeviceProp();
  return cudaSuccess;
}
inline cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return Zeroed(can); }
inline cudaError_t cudaDeviceGetP2PAttribute(int* value, cudaDeviceP2PAttr, int, int) {
  return Zeroed(value);
}

// Memory; of the card not more than this at once.
constexpr size_t kMostBytesOnHost = size_t{8} << 30;
enum { cudaHostAllocPortable };
enum cudaMemcpyKind { cudaMemcpyDefault, cudaMemcpyDeviceToHost };
template <typename T>
cudaError_t cudaMalloc(T** memory, size_t bytes) {
  if (bytes > kMostBytesOnHost) return cudaErrorMemoryAllocation;
  *memory = static_cast<T*>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  const std::unique_lock<std::shared_mutex> lock(starling::cuda_on_host::WorkUnderWay());
  std::free(memory);
  return cudaSuccess;
}
template <typename T>
cudaError_t cudaMallocHost(T** memory, size_t bytes) {
  return cudaMalloc(memory, bytes);
}
inline cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  return cudaMalloc(memory, bytes);
}
inline cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
inline cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = *total = kMostBytesOnHost;
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  std::memmove(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  std::memset(memory, value, bytes);
  return cudaSuccess;
}

// Streams and events: everything has been done at once.
enum { cudaStreamNonBlocking, cudaEventDisableTiming };
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(new char);
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete reinterpret_cast<char*>(stream);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new char);
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete reinterpret_cast<char*>(event);
  return cudaSuccess;
}

#endif  // CORE_DEVICE_CUDA_ON_HOST_CUDA_RUNTIME_H_
