#include "comm/mpi/envelope.h"

#include <algorithm>
#include <vector>

namespace starling {

std::optional<int> DirectTag(const MessageKey& key) {
  if (key.stream >= 1 << 4 || key.bucket < 0 || key.bucket >= 1 << 12 || key.part >= 1 << 3) {
    return std::nullopt;
  }
  return static_cast<int>(key.round & 0xfff) << 19 | key.bucket << 7 | key.part << 4 | key.stream;
}

MpiBytes::MpiBytes(int64_t bytes) {
  constexpr int64_t kBlock = 1 << 30;
  if (bytes <= kBlock) {
    count_ = static_cast<int>(bytes);
    return;
  }
  std::vector<int> lengths;
  std::vector<MPI_Aint> offsets;
  for (int64_t offset = 0; offset < bytes; offset += kBlock) {
    lengths.push_back(static_cast<int>(std::min(kBlock, bytes - offset)));
    offsets.push_back(offset);
  }
  MPI_Type_create_hindexed(static_cast<int>(lengths.size()), lengths.data(), offsets.data(),
                           MPI_BYTE, &type_);
  MPI_Type_commit(&type_);
}

MpiBytes::~MpiBytes() {
  if (type_ != MPI_BYTE) MPI_Type_free(&type_);
}

}  // namespace starling
