// What MPI is told of a message: a tag and a count, both of which are ints.
#ifndef COMM_MPI_ENVELOPE_H_
#define COMM_MPI_ENVELOPE_H_

#include <cstdint>
#include <optional>

#include "comm/message.h"
#include "mpi.h"

namespace starling {

// The tag of messages with this key: its stream (below 16), part (below 8), bucket (below 4096) and
// the lowest 12 bits of its round. Absent for a key with larger numbers.
std::optional<int> DirectTag(const MessageKey& key);

// `bytes` bytes as a count and a type: more than a GiB are one element of a type of its own, which
// MPI keeps for as long as it is in use.
class MpiBytes {
 public:
  explicit MpiBytes(int64_t bytes);
  ~MpiBytes();
  MpiBytes(const MpiBytes&) = delete;
  MpiBytes& operator=(const MpiBytes&) = delete;

  int count() const { return count_; }
  MPI_Datatype type() const { return type_; }

 private:
  int count_ = 1;
  MPI_Datatype type_ = MPI_BYTE;
};

}  // namespace starling

#endif  // COMM_MPI_ENVELOPE_H_
