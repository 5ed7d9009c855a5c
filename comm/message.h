// Messages between workers: what names one, and what is sent and received.
#ifndef COMM_MESSAGE_H_
#define COMM_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/buffer.h"

namespace starling {

// Names one message between two workers. While it is under way, no other message between the same
// two workers in the same direction may have the same key, nor one that differs from it in a round
// 4096 or more away only: backends may match by the lowest bits of rounds.
struct MessageKey {
  uint16_t stream = 0;  // whose: one number per mixer, collective user, ...
  int64_t round = 0;
  int32_t bucket = 0;
  uint16_t part = 0;  // several vectors of a bucket, phases of a collective
};

inline bool operator==(const MessageKey& a, const MessageKey& b) {
  return a.stream == b.stream && a.round == b.round && a.bucket == b.bucket && a.part == b.part;
}

// For unordered containers.
struct MessageKeyHash {
  size_t operator()(const MessageKey& key) const;
};

// "stream 1, round 7, bucket 0, part 2".
std::string ToString(const MessageKey& key);

inline constexpr int kAnyone = -1;

struct Send {
  int to = 0;
  MessageKey key;
  Buffer data;  // must stay unchanged until the Work is done
};

struct Receive {
  int from = 0;  // or kAnyone: the first that comes with this key
  MessageKey key;
  Buffer into;  // count is a capacity
};

// What came for one Receive.
struct Arrival {
  int from = 0;
  int64_t count = 0;
};

// Measurements (consensus distance, evaluation) are counted apart from training.
enum class Traffic { kTraining, kMeasurement };

}  // namespace starling

#endif  // COMM_MESSAGE_H_
