// Random numbers: counter-based streams, the only source of randomness in Starling.
//
// A stream is named by (seed, purpose, worker, step) and gives the same numbers on every machine,
// backend and thread, in whatever order streams are used. Its name is hashed to 64 bits, which is
// what interfaces pass around ("uint64_t stream"); a Random turns it into numbers.
//
// Generator: Philox4x32-10 (philox.h), tested against the published vectors.
#ifndef CORE_RANDOM_RANDOM_H_
#define CORE_RANDOM_RANDOM_H_

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "core/random/philox.h"

namespace starling {

// What the numbers are for. Values are part of every recorded run: append, never renumber.
enum class Purpose : uint32_t {
  kInitialization = 1,
  kSampling = 2,      // which examples a worker sees
  kPartition = 3,     // which examples a worker owns
  kAugmentation = 4,  // how an example is changed
  kDropout = 5,
  kTopology = 6,
  kSynthetic = 7,  // generated data
  kCompression = 8,
  kTest = 9,
  kCompute = 10,  // how long a simulated worker computes
  kSweep = 11,    // which values a random search tries
};

// Returns the 64-bit name of a stream. Use worker 0 and step 0 for what is shared by all.
uint64_t StreamKey(uint64_t seed, Purpose purpose, int worker, int64_t step);

// Numbers of one stream, in order. Cheap to make; copy it to replay.
class Random {
 public:
  explicit Random(uint64_t stream) : stream_(stream) {}

  uint32_t Next32();
  uint64_t Next64();

  double Uniform();              // in [0, 1), 53 random bits
  int64_t Below(int64_t bound);  // in [0, bound), unbiased; bound > 0
  double Normal();               // mean 0, variance 1 (Box-Muller)
  double Gamma(double shape);    // scale 1 (Marsaglia and Tsang 2000); shape > 0

  // A random order of `values` (Fisher-Yates, from the end).
  template <typename T>
  void Shuffle(absl::Span<T> values) {
    for (int64_t i = static_cast<int64_t>(values.size()) - 1; i > 0; --i) {
      std::swap(values[i], values[Below(i + 1)]);
    }
  }

 private:
  uint64_t stream_;
  uint64_t block_ = 0;
  int used_ = 4;  // words of words_ already given out
  std::array<uint32_t, 4> words_{};
};

}  // namespace starling

#endif  // CORE_RANDOM_RANDOM_H_
