// Compressors: smaller messages for larger error. A compressor turns a vector into bytes for the
// wire and adds decoded bytes into a vector; error feedback and memories are the algorithms'.
#ifndef COMM_COMPRESSOR_H_
#define COMM_COMPRESSOR_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/buffer.h"
#include "core/state.h"

namespace starling {

class Compressor {
 public:
  static constexpr char kKind[] = "compressor";
  struct Context {};

  virtual ~Compressor() = default;

  // delta in (0, 1] with E||C(v) - v||^2 <= (1 - delta) ||v||^2 for vectors of n elements;
  // 0 if C is no contraction.
  virtual double contraction(int64_t n) const = 0;

  // Most bytes that n elements can take, indices and scales included.
  virtual int64_t MaxBytes(int64_t n) const = 0;

  // Encodes `in` into `wire` (kByte, MaxBytes of room) and returns the bytes used. `stream` is the
  // random stream; sender and receivers use the same one.
  virtual absl::StatusOr<int64_t> Encode(Buffer in, uint64_t stream, Buffer wire) = 0;

  // out <- out + weight * decode(wire). INVALID_ARGUMENT for bytes that no Encode wrote.
  virtual absl::Status AddDecoded(Buffer wire, uint64_t stream, double weight, Buffer out) = 0;

  // State that belongs to the run (the warm start of a low-rank method).
  virtual absl::Status VisitState(StateVisitor* visitor) = 0;
};

}  // namespace starling

#endif  // COMM_COMPRESSOR_H_
