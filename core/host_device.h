// STARLING_HOST_DEVICE: on functions that run on the host and, compiled by nvcc, on a device too.
#ifndef CORE_HOST_DEVICE_H_
#define CORE_HOST_DEVICE_H_

#ifdef __CUDACC__
#define STARLING_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define STARLING_HOST_DEVICE inline
#endif

#endif  // CORE_HOST_DEVICE_H_
