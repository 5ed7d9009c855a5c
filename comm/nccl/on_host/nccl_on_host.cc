#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "comm/nccl/on_host/nccl.h"
#include "comm/nccl/on_host/network.h"
#include "core/buffer.h"
#include "core/ops/ops.h"
#include "glog/logging.h"

using starling::nccl_on_host::Network;

// What is called is done by a thread of the communicator.
struct ncclComm {
  ~ncclComm() {
    if (thread.joinable()) thread.join();
  }

  // OK if `job` may begin; it then has.
  ncclResult_t Start(std::function<bool()> job) {
    if (result != ncclSuccess) return result == ncclInProgress ? ncclInvalidUsage : result.load();
    if (thread.joinable()) thread.join();
    result = ncclInProgress;
    thread = std::thread([this, job] { result = job() ? ncclSuccess : ncclRemoteError; });
    return ncclInProgress;
  }

  std::shared_ptr<Network> network;
  uint64_t channel = 1;      // of this communicator's messages
  std::vector<int> members;  // processes, by rank
  int rank = 0;
  uint64_t splits = 0;
  bool finalized = false;
  std::atomic<ncclResult_t> result{ncclSuccess};
  std::thread thread;
};

namespace {

struct Operation {
  const void* from;  // null: receives
  void* to;
  size_t bytes;
  int peer;
};

thread_local bool in_group = false;
thread_local ncclComm_t group_comm = nullptr;
thread_local std::vector<Operation> group;

size_t SizeOf(ncclDataType_t type) {
  switch (type) {
    case ncclUint8:
      return 1;
    case ncclFloat16:
    case ncclBfloat16:
      return 2;
    case ncclFloat32:
      return 4;
    default:
      return 8;
  }
}

starling::DType TypeOf(ncclDataType_t type) {
  switch (type) {
    case ncclFloat16:
      return starling::DType::kF16;
    case ncclBfloat16:
      return starling::DType::kBF16;
    case ncclFloat32:
      return starling::DType::kF32;
    case ncclFloat64:
      return starling::DType::kF64;
    default:
      LOG(FATAL) << "no sums of this type";
  }
}

ncclResult_t Begin(ncclComm_t comm, std::vector<Operation> operations) {
  return comm->Start([comm, operations] {
    const std::shared_lock<std::shared_mutex> lock(starling::cuda_on_host::WorkUnderWay());
    Network* const network = comm->network.get();
    for (const Operation& one : operations) {
      const int peer = comm->members[one.peer];
      if (one.from != nullptr && !network->Send(peer, comm->channel, one.from, one.bytes)) {
        return false;
      }
    }
    for (const Operation& one : operations) {
      const int peer = comm->members[one.peer];
      if (one.from == nullptr && !network->Receive(peer, comm->channel, one.to, one.bytes)) {
        return false;
      }
    }
    return true;
  });
}

ncclResult_t Add(ncclComm_t comm, const Operation& operation) {
  if (operation.peer < 0 || operation.peer >= static_cast<int>(comm->members.size())) {
    return ncclInvalidArgument;
  }
  if (!in_group) return Begin(comm, {operation});
  CHECK(group_comm == nullptr || group_comm == comm) << "a group of several communicators";
  group_comm = comm;
  group.push_back(operation);
  return ncclSuccess;
}

// Everybody's values, added by rank, and the sum back to all.
bool Sum(ncclComm_t comm, void* values, size_t count, starling::DType type) {
  const std::shared_lock<std::shared_mutex> lock(starling::cuda_on_host::WorkUnderWay());
  const starling::Buffer own{values, static_cast<int64_t>(count), type, starling::Place::kHost};
  const size_t bytes = static_cast<size_t>(own.bytes());
  Network* const network = comm->network.get();
  if (comm->rank != 0) {
    return network->Send(comm->members[0], comm->channel, values, bytes) &&
           network->Receive(comm->members[0], comm->channel, values, bytes);
  }
  std::vector<starling::Arena> others;
  std::vector<starling::Source> terms = {{1, own}};
  for (size_t member = 1; member < comm->members.size(); ++member) {
    others.emplace_back(own.count, type);
    terms.push_back({1, others.back().buffer()});
    if (!network->Receive(comm->members[member], comm->channel, terms.back().values.data, bytes)) {
      return false;
    }
  }
  starling::ops::WeightedSum(terms, own);
  for (size_t member = 1; member < comm->members.size(); ++member) {
    if (!network->Send(comm->members[member], comm->channel, values, bytes)) return false;
  }
  return true;
}

}  // namespace

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclInvalidUsage ? "invalid usage" : "unhandled error";
}
const char* ncclGetLastError(ncclComm_t) { return ""; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::atomic<int> worlds{0};
  *id = {};
  std::snprintf(id->internal, sizeof(id->internal), "nccl-on-host-%d-%d", getpid(), worlds++);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (config->blocking != 0 || rank < 0 || rank >= size) return ncclInvalidArgument;
  auto* const made = *comm = new ncclComm;
  made->network = std::make_shared<Network>(id.internal, rank, size);
  for (int process = 0; process < size; ++process) made->members.push_back(process);
  made->rank = rank;
  return made->Start([made] { return made->network->Connect(); });
}

ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* made,
                           ncclConfig_t* config) {
  if (config->blocking != 0 || color > 0) return ncclInvalidArgument;
  *made = nullptr;
  return comm->Start([comm, color, key, made] {
    // All tell all whether they take part, and their key.
    struct Part {
      int color, key;
    };
    const Part own{color, key};
    Network* const network = comm->network.get();
    for (int member : comm->members) {
      if (!network->Send(member, comm->channel, &own, sizeof(own))) return false;
    }
    std::vector<std::pair<int, int>> parts;  // key and process
    for (int member : comm->members) {
      Part part;
      if (!network->Receive(member, comm->channel, &part, sizeof(part))) return false;
      if (part.color == 0) parts.emplace_back(part.key, member);
    }
    const uint64_t channel = comm->channel * 1000 + ++comm->splits;
    if (color != 0) return true;
    std::sort(parts.begin(), parts.end());
    auto* const child = new ncclComm;
    child->network = comm->network;
    child->channel = channel;
    for (const auto& [order, process] : parts) {
      if (process == comm->members[comm->rank]) {
        child->rank = static_cast<int>(child->members.size());
      }
      child->members.push_back(process);
    }
    *made = child;
    return true;
  });
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* result) {
  *result = comm->result;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  comm->finalized = true;
  return comm->Start([] { return true; });
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (comm->result == ncclInProgress || !comm->finalized) return ncclInvalidUsage;
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  comm->network->GiveUp();
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  in_group = true;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  in_group = false;
  const ncclComm_t comm = std::exchange(group_comm, nullptr);
  if (comm == nullptr) return ncclSuccess;
  return Begin(comm, std::exchange(group, {}));
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t) {
  return Add(comm, {data, nullptr, count * SizeOf(type), peer});
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t) {
  return Add(comm, {nullptr, data, count * SizeOf(type), peer});
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t, ncclComm_t comm, cudaStream_t) {
  CHECK_EQ(from, to) << "sums are in place here";
  return comm->Start([=] { return Sum(comm, to, count, TypeOf(type)); });
}
