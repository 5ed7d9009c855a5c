// NCCL for tests where there is no card (core/device/cuda/on_host): as much of NVIDIA's header of
// this name as this project uses, between processes of one machine, whose memory they send to each
// other over sockets.
//
// Communicators do not block, and are as strict as the manual: while a call is in progress another
// one is a mistake, but for asking how it is getting on, and for giving up.
#ifndef COMM_NCCL_ON_HOST_NCCL_H_
#define COMM_NCCL_ON_HOST_NCCL_H_

#include <cstddef>

#include "core/device/cuda/on_host/cuda_runtime.h"

using ncclComm_t = struct ncclComm*;

struct ncclUniqueId {
  char internal[128];
};

enum ncclResult_t {
  ncclSuccess,
  ncclInvalidArgument,
  ncclInvalidUsage,
  ncclRemoteError,
  ncclInProgress
};
enum ncclDataType_t { ncclUint8, ncclFloat16, ncclBfloat16, ncclFloat32, ncclFloat64 };
enum ncclRedOp_t { ncclSum };

struct ncclConfig_t {
  int blocking;  // must become 0
};
#define NCCL_CONFIG_INITIALIZER \
  { 1 }
#define NCCL_SPLIT_NOCOLOR (-1)

const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t comm);

ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config);
// One colour: 0.
ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* made,
                           ncclConfig_t* config);
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result);
ncclResult_t ncclCommFinalize(ncclComm_t comm);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
ncclResult_t ncclCommAbort(ncclComm_t comm);

// All of a group are of one communicator.
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream);
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream);

#endif  // COMM_NCCL_ON_HOST_NCCL_H_
