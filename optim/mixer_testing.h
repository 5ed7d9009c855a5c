// For tests of the mixer: a worker, its layout and its values.
#ifndef OPTIM_MIXER_TESTING_H_
#define OPTIM_MIXER_TESTING_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "core/buffer.h"
#include "core/layout.h"
#include "core/random/random.h"
#include "optim/worker.h"
#include "topology/topology.h"

namespace starling {

// Sizes that every group of up to four members, on two machines, divides without a rest.
inline Layout EvenLayout(int64_t bucket_bytes, DType type) {
  std::vector<TensorInfo> tensors(3);
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].name = std::string(1, static_cast<char>('a' + i));
    tensors[i].shape = {static_cast<int64_t>(32 * 12 * (i + 1))};
  }
  return MakeLayout(std::move(tensors), bucket_bytes, SizeOf(type));
}

// One mixer on one worker.
struct Setting {
  const Topology* topology = nullptr;
  int vectors = 1;
  int64_t bucket_bytes = 1;
  DType type = DType::kF64;
  double gamma = 1.0;
  bool from_outgoing = false;  // sends from the mixer's own buffers
  bool overlap = true;
};

inline Worker WorkerFor(const Setting& setting, const Layout& layout, Communicator* comm) {
  Worker worker;
  worker.id = comm->rank();
  worker.count = comm->size();
  worker.comm = comm;
  worker.topology = setting.topology;
  worker.layout = &layout;
  worker.mixing.gamma = setting.gamma;
  worker.mixing.overlap = setting.overlap;
  return worker;
}

inline void Set(Buffer buffer, int64_t i, double value) {
  if (buffer.type == DType::kF32) {
    buffer.as<float>()[i] = static_cast<float>(value);
  } else {
    buffer.as<double>()[i] = value;
  }
}

inline double Get(Buffer buffer, int64_t i) {
  return buffer.type == DType::kF32 ? buffer.as<float>()[i] : buffer.as<double>()[i];
}

inline double Initial(int rank, int vector, int64_t i) {
  return Random(StreamKey(vector, Purpose::kTest, rank, i)).Normal();
}

}  // namespace starling

#endif  // OPTIM_MIXER_TESTING_H_
